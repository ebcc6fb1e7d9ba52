#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises'
import { adminSocketIn, stateDirectories } from '../common/state.js'
import { askAdmin, errorIn, type AdminAnswer, type AdminQuestion } from './ask-admin.js'
import type { HealthReport } from './health.js'
import type { SandboxList } from './operator-routes.js'

// Started in the gateway's container by each run and by the health check. Start-up time matters, so it only asks the running
// gateway, and loads nothing else.

interface Command {
  readonly question: AdminQuestion
  /** Lines for standard output. */
  readonly show: (answer: AdminAnswer) => readonly string[]
  /** Errors are shown like every other answer. */
  readonly isRaw?: boolean
}

const variables = (environment: unknown) =>
  Object.entries(environment as Record<string, string>).map(([name, value]) => `${name}=${value}`)

function readWords([action, ...args]: readonly string[]): Command | null {
  const [id = '', subnet = '', agent = '', command = '', details = '{}'] = args
  switch (action) {
    case 'health':
      return { question: { method: 'GET', path: '/health' }, show: () => [] }
    case 'ready':
      return { question: { method: 'GET', path: '/ready' }, show: () => [] }
    case 'alive':
      // Whatever it answers. A full disk, or a secret that cannot be read, is not mended by a restart.
      return { question: { method: 'GET', path: '/health' }, show: () => [], isRaw: true }
    case 'list':
      return {
        question: { method: 'GET', path: '/sandboxes' },
        show({ body }) {
          const { sandboxes } = body as Pick<SandboxList, 'sandboxes'>
          // Runs: a fixed network is no run, and nobody may sweep it.
          return sandboxes
            .filter(({ started_at }) => started_at !== null)
            .map(({ id, subnet, agent }) => `${id} ${subnet ?? ''} ${agent}`)
        },
      }
    case 'add':
      return {
        question: {
          method: 'POST',
          path: '/sandboxes',
          body: { id, subnet, agent, command, ...(JSON.parse(details) as object) },
        },
        show({ body }) {
          const { processors, environment } = body as { processors: number; environment: unknown }
          return [`# processors ${String(processors)}`, ...variables(environment)]
        },
      }
    case 'environment':
      return {
        question: { method: 'GET', path: `/environment/${encodeURIComponent(id)}` },
        show: ({ body }) => variables((body as { environment: unknown }).environment),
      }
    case 'request': {
      const [method = '', path = '', body] = args
      const question = {
        method: method as AdminQuestion['method'],
        path,
        ...(body !== undefined && { body: JSON.parse(body) as unknown }),
      }
      return { question, show: (answer) => [JSON.stringify(answer)], isRaw: true }
    }
    default:
      return null
  }
}

/** Milliseconds to wait for a gateway that is starting. */
const STARTUP_TIMEOUT_MS = 15_000
const PAUSE_MS = 100

async function ask(question: AdminQuestion): Promise<AdminAnswer | null> {
  const until = ['/health', '/ready'].includes(question.path) ? 0 : Date.now() + STARTUP_TIMEOUT_MS
  for (;;) {
    const answer = await askAdmin(adminSocketIn(stateDirectories(process.env).run), question)
    if (answer !== null || Date.now() >= until) return answer
    await sleep(PAUSE_MS)
  }
}

const AWAY = {
  problem: 'The gateway is not responding',
  fix: 'Check the output of `docker compose logs proxy dns`',
  exit_code: 125,
}

/** What is wrong, one entry each. */
function problemsIn(answer: AdminAnswer | null): readonly (typeof AWAY)[] {
  if (answer === null) return [AWAY]
  const { checks, exit_code } = (answer.body ?? {}) as Partial<HealthReport>
  if (answer.status === 503 && checks !== undefined)
    return checks.flatMap(({ problem, fix }) =>
      problem === null
        ? []
        : [{ problem, fix: fix ?? 'Check the log of the gateway', exit_code: exit_code ?? 1 }],
    )
  const error = errorIn(answer)
  return error === null ? [] : [error]
}

const command = readWords(process.argv.slice(2))
if (command === null) {
  process.stderr.write(
    'egress: Internal command. Usage: egress-admin health | ready | alive | list | add | environment | request\n',
  )
  process.exitCode = 2
} else {
  const answer = await ask(command.question)
  const problems = command.isRaw === true && answer !== null ? [] : problemsIn(answer)
  for (const { problem, fix, exit_code } of problems) {
    process.stderr.write(`egress: ${problem}\n  ${fix}\n`)
    process.exitCode = exit_code
  }
  if (problems.length === 0 && answer !== null)
    process.stdout.write(
      command
        .show(answer)
        .map((line) => `${line}\n`)
        .join(''),
    )
}
