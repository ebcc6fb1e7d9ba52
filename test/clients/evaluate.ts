import type { Call, Row } from './rows.js'
import type { Received } from './services.js'

/** Output of one client inside. */
export interface Said {
  readonly id: string
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Evidence {
  /** Null if it was not run. */
  readonly allowed: Said | null
  readonly refused: Said | null
  readonly received: readonly Received[]
  /** Whether the output contains a real credential. */
  readonly leaked: boolean
  /** Whether only the writable repository has the new branch. */
  readonly pushed: boolean
}

export interface EvaluatedClient {
  readonly id: string
  readonly client: string
  readonly does: string
  readonly received: string
  readonly saw: string
  readonly control: string
  readonly passed: boolean
  /** Missing Debian packages, if it was not run. */
  readonly missing: readonly string[]
}

/** A row whose client is not installed: it proves nothing, and does not pass. */
export function notRun({ id, client, does }: Row, missing: readonly string[]): EvaluatedClient {
  const saw = `not installed: ${missing.join(', ')}`
  return { id, client, does, received: 'nothing', saw, control: 'not run', passed: false, missing }
}

/** A row passes if the mock servers saw the real credential with every request, and no request of the denied control. */
export function evaluate(
  row: Row,
  { allowed, refused, received, leaked, pushed }: Evidence,
): EvaluatedClient {
  const mine = received.filter(({ host }) => row.allowed.hosts.some((one) => one === host))
  const verified = mine.filter((one) => one.verified)
  const arrived = row.allowed.hosts.every((host) =>
    mine.some((one) => one.host === host && one.verified && matches(one, row.allowed)),
  )
  const worked = allowed?.code === 0 && row.allowed.says.test(allowed.stdout.trim())
  const refusedReached = received.some(
    (one) =>
      row.refused.hosts.some((host) => host === one.host) &&
      (row.refused.request === row.allowed.request && sameHosts(row)
        ? !one.verified
        : matches(one, row.refused)),
  )
  const said = `${refused?.stdout ?? ''}${refused?.stderr ?? ''}`
  const refusedSaid = refused !== null && row.refused.says.test(said)
  const pushPassed = row.id !== 'git' || pushed
  const controlPassed = refusedSaid && !refusedReached
  return {
    id: row.id,
    client: row.client,
    does: row.does,
    received: `${String(verified.length)} of ${String(mine.length)} requests with the real credential`,
    saw: worked ? allowed.stdout.trim() : `code ${String(allowed?.code ?? null)}: ${lastLine(allowed)}`,
    control: controlPassed
      ? 'refused'
      : refusedReached
        ? 'REACHED THE SERVICE'
        : `no denial: ${lastLine(refused)}`,
    passed: arrived && worked && verified.length === mine.length && controlPassed && pushPassed && !leaked,
    missing: [],
  }
}

function sameHosts({ allowed, refused }: Row): boolean {
  return allowed.hosts.join() === refused.hosts.join()
}

function matches({ method, path }: Received, { request }: Call): boolean {
  return `${method} ${path}` === request
}

function lastLine(said: Said | null): string {
  return said === null ? 'not run' : (`${said.stdout}\n${said.stderr}`.trim().split('\n').at(-1) ?? '')
}
