import { FOREIGN_HOST, type Arrived } from './registries.js'
import type { ToolStage } from './stage.js'
import type { Tool } from './tools.js'

/** What came of one tool on one backend. */
export interface ToolResult {
  readonly tool: string
  readonly kind: Tool['kind']
  readonly backend: ToolStage['backend']
  /** empty: it worked */
  readonly problems: readonly string[]
  /** whether a control was refused as it should be */
  readonly control: boolean
  /** null: it was run */
  readonly missing: string | null
}

/** Runs one tool, and the most similar action that must be denied. */
export async function runTool(tool: Tool, stage: ToolStage): Promise<ToolResult> {
  const result = { tool: tool.name, kind: tool.kind, backend: stage.backend, control: tool.refused !== null }
  const problems: string[] = []
  const ask = async (script: string) => {
    const before = (await stage.arrived()).length
    const ended = await stage.run(script)
    const said = `${ended.stdout}\n${ended.stderr}`
    if (said.includes(stage.token)) problems.push('the real credential is printed')
    return { ...ended, said, arrived: (await stage.arrived()).slice(before) }
  }
  const worked = await ask(`${checkNeeds(tool.needs)} ${tool.command}`)
  const [, lacks = null] = /^missing: (.*)$/m.exec(worked.stdout) ?? []
  if (lacks !== null) return { ...result, problems: [], missing: `${lacks} is not installed` }
  if (worked.code !== 0 || !tool.says.test(worked.stdout))
    problems.push(`it ended with ${String(worked.code)}: ${worked.said.trim().slice(-1500)}`)
  problems.push(...missingRequests(tool.hosts, worked.arrived))
  problems.push(...unverified(worked.arrived))
  if (tool.refused !== null) {
    const refused = await ask(tool.refused)
    if (!tool.refusedSays.test(refused.said))
      problems.push(`the control does not say that it was refused: ${refused.said.trim().slice(-1500)}`)
    if (refused.arrived.some(({ host, method }) => host === FOREIGN_HOST || method === 'DELETE'))
      problems.push(`the control reached a server: ${JSON.stringify(refused.arrived)}`)
  }
  return { ...result, problems, missing: null }
}

/** A script that ends with the first that is missing. */
function checkNeeds(needs: readonly string[]): string {
  const checks = needs.map((need) => {
    const [language = '', name] = need.split(/:(.*)/)
    const isThere =
      name === undefined
        ? `command -v ${need}`
        : language === 'python'
          ? `/usr/bin/python3 -c 'import ${name}'`
          : `perl -M${name} -e 1`
    return `${isThere} >/dev/null 2>&1 || { echo 'missing: ${need}'; exit; };`
  })
  return checks.join(' ')
}

function missingRequests(hosts: readonly string[], arrived: readonly Arrived[]): string[] {
  return hosts
    .filter((host) => !arrived.some((one) => one.host === host))
    .map((host) => `${host} was not asked`)
}

function unverified(arrived: readonly Arrived[]): string[] {
  return arrived
    .filter(({ credential }) => credential !== null && credential !== 'real')
    .map((one) => `without the real credential: ${JSON.stringify(one)}`)
}
