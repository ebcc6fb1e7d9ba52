import { Resolver } from 'node:dns/promises'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { EgressError, EXIT } from '../common/errors.js'
import { quoteWord } from '../sandbox/shell-quote.js'
import { trustVolume } from '../trust/trust-files.js'
import type { RegistrationAnswer } from './registration-listener.js'

const ANSWER_MS = 15_000
const PAUSE_MS = 250
const MAX_PAUSE_MS = 4_000

/** Statuses that another attempt may change: not known yet, too many at once, the gateway or the API server away. */
const LATER = [425, 429, 500, 502, 503]

export interface JoinOptions {
  /** Address of the shard. */
  readonly gateway: string
  readonly port: number
  /** The projected token. */
  readonly tokenFile: string
  readonly patienceMs: number
}

/** Presents the pod's token until the gateway has taken it. @throws EgressError */
export async function joinGateway(options: JoinOptions): Promise<RegistrationAnswer> {
  const { gateway, port, tokenFile, patienceMs } = options
  const until = performance.now() + patienceMs
  for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    const said = await present(gateway, port, readToken(tokenFile))
    if (said.status === 200) return JSON.parse(said.body) as RegistrationAnswer
    if (!LATER.includes(said.status) || performance.now() > until) throw notTaken(said)
    await sleep(pause)
  }
}

interface Said {
  readonly status: number
  readonly body: string
}

async function present(host: string, port: number, token: string): Promise<Said> {
  try {
    return await new Promise<Said>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, 'content-length': 0, connection: 'close' }
      const signal = AbortSignal.timeout(ANSWER_MS)
      const asked = request(
        { host, port, method: 'POST', path: '/register', headers, signal },
        (response) => {
          text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
        },
      )
      asked.once('error', reject)
      asked.end()
    })
  } catch {
    return { status: 503, body: '' }
  }
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new EgressError({
      code: 'EGRESS_REGISTRATION',
      problem: `This pod has no token in ${file}; the agent is not started`,
      fix: 'Mount a projected service-account token with the audience `egress` there, as docs/kubernetes.md shows',
      exitCode: EXIT.failed,
      cause,
    })
  }
}

function notTaken({ status, body }: Said): EgressError {
  let told: { problem?: unknown; fix?: unknown } = {}
  try {
    told = (JSON.parse(body) as { error?: typeof told }).error ?? {}
  } catch {
    // Something else than the gateway answers there, or nothing.
  }
  return new EgressError({
    code: 'EGRESS_REGISTRATION',
    problem: `The gateway did not register this pod: ${typeof told.problem === 'string' ? told.problem : `status ${String(status)}`}; the agent is not started`,
    fix: typeof told.fix === 'string' ? told.fix : 'Check the log of the gateway',
    exitCode: EXIT.failed,
  })
}

/** Asks the pod's resolver for a name that every sandbox may know. It answers nobody whom it does not know. @throws EgressError */
export async function checkResolver(gateway: string, patienceMs: number): Promise<void> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 })
  resolver.setServers([gateway])
  const until = performance.now() + patienceMs
  for (;;) {
    try {
      await resolver.resolve4('localhost')
      return
    } catch (cause) {
      const { code = '' } = cause as NodeJS.ErrnoException
      if (performance.now() < until) {
        await sleep(PAUSE_MS)
        continue
      }
      throw new EgressError({
        code: 'EGRESS_NO_RESOLVER',
        problem: `The resolver at ${gateway} does not answer this pod (${code}); the agent is not started`,
        fix: 'Check that the NetworkPolicy allows port 53 of the shard over UDP, and look into the log of the gateway',
        exitCode: EXIT.failed,
        cause,
      })
    }
  }
}

/**
 * Writes what the agent's container mounts: the trust files, its environment, and a script that starts a program with it. A
 * container's environment is fixed when its pod is made, before the gateway knows the pod.
 */
export function writeAgentFiles(directory: string, answer: RegistrationAnswer, at: number): void {
  const variables = Object.entries(answer.environment)
    .map(([name, value]) => `${name}=${quoteWord(value)}\n`)
    .join('')
  const files = {
    ...trustVolume(answer.authority, at),
    environment: variables,
    enter: ENTER,
  }
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content, { mode: 0o644 })
  }
  chmodSync(join(directory, 'enter'), 0o755)
}

const ENTER = `#!/bin/sh
# Starts a program with the environment of its sandbox: enter PROGRAM ARGUMENT...
set -a
. "$(dirname "$0")/environment"
set +a
exec "$@"
`
