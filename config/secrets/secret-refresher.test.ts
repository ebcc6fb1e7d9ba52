import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { NO_TOOLS, outgoingRequest } from '#test/fixtures/outgoing.js'
import { loadPolicy, type LoadedPolicy } from '../load.js'
import type { PolicyError } from '../issues/issue.js'
import type { SecretRotationEvent } from './secret-refresher.js'
import { TEST_KINDS, writeFiles } from '../test-fixtures.js'

t.setTimeout(120_000)
// They wait for a second to pass, most of the time; each has a directory of its own.
t.jobs = 8

const [FIRST, SECOND, THIRD] = ['first-value-0123', 'second-value-456', 'third-value-7890']

const POLICY = `services:
  a:
    url: https://a.example.com
    credential: { header: { name: "\${NAME}", value: "Token \${TOKEN}" } }
    rules: [{ allow: GET /** }]
  b:
    url: https://b.example.com
    credential: { basic: { username: "\${USER}", password: "\${TOKEN}" } }
    rules: [{ allow: GET /** }]
secrets:
  TOKEN: { command: [cat, @DIR/token], refresh: 1s }
  NAME: { command: [cat, @DIR/name], refresh: 1s }
`

interface World {
  readonly loaded: LoadedPolicy
  readonly events: SecretRotationEvent[]
  /** Called before an event is kept. */
  readonly onReport: { run: () => void }
  readonly put: (name: string, value: string) => void
  readonly injected: (service: string) => Promise<unknown>
  readonly secretPatterns: (service: string) => readonly string[]
  /** Waits for the next event. */
  readonly next: () => Promise<SecretRotationEvent | undefined>
}

async function world(t: Test): Promise<World> {
  const directory = t.testdir({})
  const put = (name: string, value: string) => {
    writeFileSync(`${directory}/${name}.new`, value)
    renameSync(`${directory}/${name}.new`, `${directory}/${name}`)
  }
  put('token', FIRST)
  put('name', 'x-api-key')
  writeFiles(directory, { 'egress.yaml': POLICY.replaceAll('@DIR', directory) })
  const env = { PATH: process.env['PATH'], USER: 'me' }
  // The kinds of these tests read their values once; here they are to read them at every use.
  const kinds = TEST_KINDS.map((kind) => ({
    ...kind,
    bind: (id: string, values: Parameters<typeof kind.bind>[1]) => ({
      ...kind.bind(id, values),
      inject: (...args: Parameters<ReturnType<typeof kind.bind>['inject']>) =>
        kind.bind(id, values).inject(...args),
    }),
  }))
  const loaded = await loadPolicy('egress.yaml', { kinds, env, cwd: directory })
  const events: SecretRotationEvent[] = []
  const onReport: World['onReport'] = { run: () => undefined }
  const report = (event: SecretRotationEvent) => {
    onReport.run()
    events.push(event)
  }
  const stop = loaded.refresher?.start({ now: Date.now, report })
  t.teardown(() => stop?.())
  return {
    loaded,
    onReport,
    events,
    put,
    async injected(service) {
      const request = outgoingRequest({ headers: {} })
      await loaded.policy.services.get(service)?.credential?.inject(request, NO_TOOLS)
      return request.headers
    },
    secretPatterns: (service) =>
      loaded.policy.services.get(service)?.credential?.secretPatterns().bytes.map(String) ?? [],
    async next() {
      const count = events.length
      for (let tries = 0; events.length === count && tries < 400; tries += 1) await sleep(25)
      return events[count]
    },
  }
}

const basic = (password: string) => ({
  authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}`,
})

void t.test(
  'a new value is in every template that has its name, and the old one is still looked for',
  async (t) => {
    const { put, next, injected, secretPatterns } = await world(t)
    t.same(await injected('a'), { 'x-api-key': `Token ${FIRST}` })
    put('token', `${SECOND}\n`)
    t.match(await next(), { secret: 'TOKEN', source: 'command', problem: null })
    t.same(await injected('a'), { 'x-api-key': `Token ${SECOND}` })
    t.same(await injected('b'), basic(SECOND))
    t.same([...secretPatterns('a')].sort(), [FIRST, SECOND, 'x-api-key'].sort(), 'also of the name')
  },
)

void t.test('a new value is recorded before it is used, and not used unless it is recorded', async (t) => {
  const { put, next, injected, events, onReport } = await world(t)
  let tries = 0
  let used: unknown = null
  onReport.run = () => {
    tries += 1
    void injected('a').then((headers) => (used = headers))
    throw new Error('no space left on device')
  }
  put('token', SECOND)
  for (let i = 0; tries < 2 && i < 800; i += 1) await sleep(25)
  t.ok(tries >= 2, 'it is tried again')
  t.same(used, { 'x-api-key': `Token ${FIRST}` })
  t.same(await injected('a'), { 'x-api-key': `Token ${FIRST}` })
  t.equal(events.length, 0)
  onReport.run = () => undefined
  t.match(await next(), { secret: 'TOKEN', problem: null })
  t.same(await injected('a'), { 'x-api-key': `Token ${SECOND}` }, 'the control')
})

void t.test(
  'after an invalid value the previous one stays in use everywhere, and the error is reported once',
  async (t) => {
    const { put, next, injected, events } = await world(t)
    const bad: readonly (readonly [value: string, problem: RegExp])[] = [
      ['', /printed nothing/],
      [`${SECOND}\u0007`, /control byte/],
      ['short', /TOKEN has fewer than 8 characters/],
      [`${SECOND}\n${THIRD}\n`, /TOKEN contains a line break/],
    ]
    for (const [value, problem] of bad) {
      put('token', value)
      t.match(await next(), { secret: 'TOKEN', problem, fix: String })
      t.same(await injected('a'), { 'x-api-key': `Token ${FIRST}` })
      t.same(await injected('b'), basic(FIRST))
    }
    const told = events.length
    await sleep(2_200)
    t.equal(events.length, told, 'the same error is not reported again')
    put('token', FIRST)
    t.match(
      await next(),
      { problem: null },
      'the end of the error is reported, even if the value is the same',
    )
    t.notMatch(JSON.stringify(events), new RegExp(`${SECOND}|${THIRD}`))
  },
)

void t.test('values must still fit together', async (t) => {
  const { put, next, injected } = await world(t)
  put('name', 'no header name')
  t.match(await next(), { secret: 'NAME', problem: /not a header name/ })
  t.same(await injected('a'), { 'x-api-key': `Token ${FIRST}` })
  put('token', SECOND)
  t.match(await next(), { secret: 'TOKEN', problem: null }, 'an invalid secret does not block others')
  t.same(await injected('a'), { 'x-api-key': `Token ${SECOND}` })
})

void t.test('once it is stopped, nothing is read any more', async (t) => {
  const { loaded, put, events } = await world(t)
  const more: SecretRotationEvent[] = []
  const stop = loaded.refresher?.start({ now: Date.now, report: (event) => more.push(event) })
  stop?.()
  put('token', SECOND)
  for (let tries = 0; events.length === 0 && tries < 400; tries += 1) await sleep(25)
  await sleep(300)
  t.equal(events.length, 1)
  t.same(more, [])
})

void t.test('a source that fails at the start is an error at its place', async (t) => {
  const directory = t.testdir({})
  const secretOnStderr = 'hunter2-on-stderr'
  const load = async (secrets: string) => {
    writeFiles(directory, {
      'egress.yaml': `services: { a: { url: https://a.example.com, credential: { bearer: "\${TOKEN}" }, rules: [{ allow: GET /** }] } }\nsecrets:\n  TOKEN: ${secrets}\n`,
    })
    const env = { PATH: process.env['PATH'] }
    const loading = loadPolicy('egress.yaml', { kinds: TEST_KINDS, env, cwd: directory })
    return loading.then(
      () => [],
      (error: unknown) => (error as PolicyError).issues,
    )
  }
  const cases: readonly (readonly [secrets: string, line: number, column: number, problem: RegExp])[] = [
    ['{ file: ./token }', 3, 18, /TOKEN: File not found/],
    ['{ command: [no-such-program] }', 3, 21, /TOKEN: Program `no-such-program` not found/],
    [`{ command: [sh, -c, "echo ${secretOnStderr} >&2; exit 1"] }`, 3, 21, /TOKEN: .*exit code 1/],
    ['{ command: [sleep, "9"], timeout: 200ms }', 3, 21, /TOKEN: .*did not end within 0\.2 s/],
    ['{ command: [echo, short] }', 1, 68, /TOKEN has fewer than 8/],
    ['{ command: [printf, "12345678\\n12345678"] }', 1, 68, /TOKEN contains a line break/],
    [
      '{ vault: { address: "https://localhost:1", path: a/b, field: c, token: "${VAULT}" } }\n  VAULT: { file: ./none }',
      4,
      18,
      /VAULT: File not found/,
    ],
    [
      '{ vault: { address: "https://localhost:1", path: a/b, field: c, token: "${VAULT}" } }',
      3,
      81,
      /`VAULT` is not set/,
    ],
  ]
  for (const [secrets, line, column, problem] of cases) {
    const issues = await load(secrets)
    t.equal(issues.length, 1, secrets)
    t.match(issues[0], { line, column, problem, fix: String })
    t.notMatch(JSON.stringify(issues), /hunter2-on/)
  }
  writeFiles(directory, { token: FIRST })
  t.same(await load('{ file: ./token }'), [])
  rmSync(`${directory}/token`)
})
