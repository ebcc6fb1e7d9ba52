import { execFileSync } from 'node:child_process'
import { format, inspect } from 'node:util'
import { serialize } from 'node:v8'
import pino from 'pino'
import t from 'tap'
import { REASONS, statusOf, textOf, type Reason } from '../contracts/reasons.js'
import { Secret } from './secret.js'

const VALUE = 'hunter2-do-not-print'
const secret = new Secret('JIRA_TOKEN', `Token ${VALUE}`, [VALUE])

void t.test('only reveal() reveals', (t) => {
  t.equal(secret.reveal(), `Token ${VALUE}`)
  t.strictSame(secret.revealSensitive(), [VALUE])
  t.strictSame(new Secret('A', VALUE).revealSensitive(), [VALUE], 'all of it, unless said otherwise')
  t.end()
})

void t.test('no way of printing shows the value', (t) => {
  const holder = {
    credential: { token: secret },
    list: [secret],
    map: new Map([['a', secret]]),
    set: new Set([secret]),
  }
  const error = new Error(`failed with ${String(secret)}`, { cause: secret })
  let logged = ''
  const log = pino({}, { write: (line: string) => (logged += line) })
  log.info({ secret, holder, err: error }, 'message %s %o %j', secret, secret, secret)
  log.error(error)
  const clone = structuredClone({ secret })
  const ways: Record<string, string> = {
    String: String(secret),
    template: `a ${secret as unknown as string}`,
    concatenation: 'a' + (secret as unknown as string),
    join: [secret].join(),
    'Array.toString': [secret].toString(),
    JSON: JSON.stringify(holder),
    'JSON of the prototype': JSON.stringify(Object.assign({}, secret)),
    inspect: inspect(holder, { depth: 9 }),
    'inspect, hidden': inspect(holder, { depth: 9, showHidden: true, getters: true }),
    'inspect, not custom': inspect(holder, { depth: 9, showHidden: true, customInspect: false }),
    format: format('%s %o %O %j %i', secret, secret, secret, secret, secret),
    'structured clone': inspect(clone, { showHidden: true }),
    'serialised clone': serialize(clone).toString('latin1'),
    serialised: serialize(Object.assign({}, secret)).toString('latin1'),
    error: inspect(error),
    stack: String(error.stack),
    aggregateway: inspect(new AggregateError([error, secret], 'many')),
    keys: Object.keys(secret).join() + Reflect.ownKeys(secret).map(String).join(),
    entries: Object.entries(secret).join(),
    assign: inspect(Object.assign({}, secret)),
    pino: logged,
    localeString: (secret as { toLocaleString(): string }).toLocaleString(),
  }
  for (const [way, text] of Object.entries(ways)) {
    t.notMatch(text, VALUE, way)
    t.ok(text.length > 0, way)
  }
  for (const way of ['String', 'template', 'JSON', 'inspect', 'pino', 'error'])
    t.match(ways[way], /\[secret JIRA_TOKEN\]/, `${way} gives the name`)
  t.end()
})

void t.test('nor does a crash', (t) => {
  const program = `
    import { Secret } from ${JSON.stringify(new URL('./secret.js', import.meta.url).href)}
    const value = ['hunter2', 'do', 'not', 'print'].join('-')
    throw Object.assign(new Error('crash', { cause: new Secret('JIRA_TOKEN', value) }), { secret: new Secret('B', value) })`
  let stderr = ''
  try {
    execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    stderr = String((error as { stderr: Buffer }).stderr)
  }
  t.match(stderr, /name: 'JIRA_TOKEN'/)
  t.notMatch(stderr, VALUE)
  t.end()
})

void t.test('every reason has a status of a denial and a sentence', (t) => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    t.ok(statusOf(reason) >= 400 && statusOf(reason) <= 599, reason)
    t.match(textOf(reason), /^[A-Z].*\.$/, reason)
    t.notMatch(
      textOf(reason),
      /\badd\b|allow it|policy file|egress\.yaml|edit/i,
      `${reason} does not say how to get round it`,
    )
  }
  t.end()
})
