import { AGENTS } from '../agents/index.js'
import { installCommand, type AgentRecipe } from '../agents/recipe.js'
import { EXIT } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { findProgram } from '../run/agent-program.js'

/** `egress agents`: what `egress run NAME` knows. */
export function runAgents({ json = false }: { readonly json?: boolean | undefined }, io: CommandIo): number {
  const rows = AGENTS.map((recipe) => describe(recipe, io.env))
  if (json) io.stdout.write(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  else
    io.stdout.write(
      `${rows.map(format).join('\n')}\nRun one with \`egress run NAME\`, in the directory that it works on.\n`,
    )
  return EXIT.fine
}

interface AgentRow {
  readonly name: string
  readonly title: string
  /** path of its program; null if it is not in PATH */
  readonly program: string | null
  readonly install: string
  readonly services: readonly { readonly preset: string; readonly secret: string; readonly isSet: boolean }[]
  readonly quiet: readonly string[]
}

function describe(recipe: AgentRecipe, env: CommandIo['env']): AgentRow {
  const { name, title, services, quiet } = recipe
  const isSet = (secret: string) => env[secret] !== undefined || env[`${secret}_FILE`] !== undefined
  return {
    ...{ name, title, quiet, install: installCommand(recipe) },
    program: findProgram(name, env['PATH'] ?? ''),
    services: services.map((service) => ({ ...service, isSet: isSet(service.secret) })),
  }
}

function format({ name, title, program, install, services }: AgentRow): string {
  const keys = services.map(
    ({ preset, secret, isSet }) => `${secret} (preset ${preset}${isSet ? ', set' : ', not set'})`,
  )
  const lines = [
    `${name.padEnd(10)} ${title}`,
    `  key      ${keys.join(' or ')}`,
    `  program  ${program ?? `not installed here; with namespaces, run: ${install}`}`,
  ]
  return lines.map((line) => `${line}\n`).join('')
}
