import { spawn } from 'node:child_process'
import type { Asked } from '../../servers/agents/start.js'
import type { AgentDrive } from './drives.js'
import { Terminal } from './terminal.js'
import { ANSWER, REQUEST, type Project } from './world.js'

/** Where agents run, and what their APIs were asked. */
export interface Stage {
  readonly backend: 'namespaces' | 'docker'
  readonly project: Project
  /** `egress run` with its options */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  asked(): Promise<readonly Asked[]>
}

/** What came of one use of an agent. */
export interface Driven {
  readonly agent: string
  readonly backend: Stage['backend']
  readonly use: 'in a terminal' | 'in a terminal again' | 'in a script'
  /** empty: it worked */
  readonly problems: readonly string[]
}

/** Uses an agent as a person does: a first time, a second time with the same home directory, and from a script. */
export async function driveAgent(drive: AgentDrive, stage: Stage): Promise<Driven[]> {
  const { name } = drive
  const { backend } = stage
  const driven: Driven[] = []
  for (const use of ['in a terminal', 'in a terminal again', 'in a script'] as const) {
    stage.project.reset()
    const before = (await stage.asked()).length
    const problems: string[] = []
    let said = ''
    try {
      said = await (use === 'in a script' ? inScript(drive, stage) : inTerminal(drive, stage))
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
    }
    const asked = (await stage.asked()).slice(before)
    const odd = asked.filter(({ credential, known }) => credential !== 'real' || !known)
    if (asked.length === 0) problems.push('its API was asked nothing')
    problems.push(...odd.map((one) => `its API was asked ${JSON.stringify(one)}`))
    if (!stage.project.isEdited) problems.push(`the file is not edited: ${said.slice(-2000)}`)
    if (said.includes(stage.project.key)) problems.push('the real key is on the screen')
    if (/\d+ refused/.test(said)) problems.push(`something was refused: ${said.slice(-600)}`)
    driven.push({ agent: name, backend, use, problems })
  }
  return driven
}

async function inTerminal(drive: AgentDrive, { project, command, env }: Stage): Promise<string> {
  const terminal = new Terminal([...command, drive.name, ...drive.terminal], project.work, env)
  try {
    // No question comes before: a person who has just started it can type.
    await terminal.until('the prompt', (screen) => drive.ready.test(screen))
    terminal.type(REQUEST)
    await terminal.until('the text', (screen) => screen.includes(REQUEST))
    terminal.press('Enter')
    let confirmed = false
    await terminal.until('the answer, and what it says,', (screen) => {
      if (!confirmed && drive.confirm?.test(screen) === true) {
        confirmed = true
        terminal.press('Enter')
      }
      // Aider answers before it edits.
      return screen.includes(ANSWER) && project.isEdited
    })
    for (let tries = 0; tries < 5 && !/ended with \d/.test(terminal.screen); tries += 1) {
      for (const key of drive.quit) terminal.press(key)
      await terminal.until('the end', (screen) => /ended with \d/.test(screen), 4_000).catch(() => undefined)
    }
    return await terminal.until('the end', (screen) => /ended with \d/.test(screen))
  } finally {
    terminal.close()
  }
}

function inScript(drive: AgentDrive, { project, command, env }: Stage): Promise<string> {
  const [program = '', ...words] = [...command, drive.name, ...drive.script(REQUEST)]
  const child = spawn(program, words, {
    cwd: project.work,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0 && said.includes(ANSWER)) resolve(said)
      else reject(new Error(`it ended with ${String(code)}: ${said.slice(-2000)}`))
    })
  })
}
