import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { readSettings } from '#config/settings.js'
import { agentPolicy } from '../agents/agent-policy.js'
import { AGENTS, findRecipe } from '../agents/index.js'
import { EgressError, EXIT, exitCodeOf, formatError, usage } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { policyFile } from '../common/policy-file.js'
import { lastDenials } from '../logs/run-denials.js'
import { STARTER_POLICY } from './starter-policy.js'

export interface InitArgs {
  /** File to create (default: the policy file in the settings). */
  readonly file?: string | undefined
  /** The agent that the policy is for (default: a policy that is an example of everything). */
  readonly agent?: string | undefined
  /** Directory of the audit log, in which the last run of the agent is looked up. */
  readonly auditDir?: string | undefined
  /** Replace an existing file. */
  readonly force?: boolean | undefined
}

/** `egress init [file]`: creates a commented starter policy, or the one that an agent needs. */
export async function runInit(
  { file, agent, auditDir, force = false }: InitArgs,
  io: CommandIo,
): Promise<number> {
  try {
    const name = policyFile(file, io)
    const text = agent === undefined ? STARTER_POLICY : await policyOf(agent, auditDir, io)
    writeWhole(resolve(io.cwd, name), name, text, force)
    io.stdout.write(`Created ${name}. Edit it, then run \`egress check ${name}\`.\n`)
    return EXIT.fine
  } catch (error) {
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}

/** With what its last run was refused, where there was one. */
async function policyOf(agent: string, auditDir: string | undefined, io: CommandIo): Promise<string> {
  const recipe = findRecipe(agent)
  if (recipe === null)
    throw usage(
      `Unknown agent \`${agent}\``,
      `Use one of: ${AGENTS.map(({ name }) => name).join(', ')}; or omit --agent for a commented example`,
    )
  const settings = readSettings({ flags: { auditDir }, env: io.env, cwd: io.cwd })
  return agentPolicy(recipe, await lastDenials(settings.auditDir, recipe.name))
}

/** Creates the whole file or nothing. `link` fails if the name exists, without a gap between the test and the use. */
function writeWhole(path: string, name: string, text: string, force: boolean): void {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    writeFileSync(temporary, text, { flag: 'wx' })
  } catch (cause) {
    throw cannotWrite(name, cause)
  }
  try {
    if (force) renameSync(temporary, path)
    else linkSync(temporary, path)
  } catch (cause) {
    throw codeOf(cause) === 'EEXIST' ? exists(name, cause) : cannotWrite(name, cause)
  } finally {
    rmSync(temporary, { force: true })
  }
}

function exists(name: string, cause: unknown): EgressError {
  const problem = `${name} already exists`
  return new EgressError({
    code: 'EGRESS_EXISTS',
    problem,
    fix: 'Choose another name, or add --force to replace the file',
    cause,
  })
}

function cannotWrite(name: string, cause: unknown): EgressError {
  return new EgressError({
    code: 'EGRESS_WRITE',
    problem: `Cannot write ${name} (${codeOf(cause)})`,
    fix: 'Choose an existing directory that you can write to',
    exitCode: EXIT.failed,
    cause,
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
