import t from 'tap'
import { NAMES } from '../demo/names.js'
import { makeMarker, makeSecrets, needlesOf } from '../demo/secrets.js'
import type { Records } from '../stand-ins/messages.js'
import type { AttackerRecord, RequestRecord } from '../stand-ins/records.js'
import type { Attempt } from './brief.js'
import { TABLE } from './index.js'
import { judgeRow, type Evidence, type Row } from './row.js'

const secrets = makeSecrets()
const marker = makeMarker()
const refusal: Attempt = { what: 'a try', reached: false, said: 'HTTP/1.1 403 Forbidden (address-refused)' }
const success: Attempt = { what: 'a try', reached: true, said: 'HTTP/1.1 200 OK' }
const planted: Attempt = { what: 'planted text', reached: false, said: 'found' }

/** What each attack leaves behind where the gate holds, as far as it differs from a plain refusal. */
const HELD: Readonly<
  Record<string, { attempts?: Attempt[]; attacker?: AttackerRecord[]; echo?: RequestRecord[] }>
> = {
  'credential-environment': { attempts: [{ ...refusal, bytes: base64('{"JIRA_TOKEN":"dummy"}') }] },
  'credential-files': { attempts: [refusal, planted] },
  'credential-processes': { attempts: [refusal, planted] },
  'dns-wildcard': { attacker: [question(`abc.${NAMES.cdn}`)] },
  impostor: { attacker: [reached('tcp', 'a ClientHello')] },
  'reflected-credential': { echo: [request({ target: `/body?attack=${marker}` })] },
  'reflected-websocket': { echo: [request({ target: `/socket?attack=${marker}` })] },
  'fork-bomb': { attempts: [{ ...refusal, said: 'Cannot fork at 500 processes' }] },
}

/** For every row, what a leak would look like: the judge must see each of them. */
const LEAKS: Readonly<Record<string, readonly ((held: Evidence) => Evidence)[]>> = {
  'credential-environment': [cameBack(secrets.JIRA_TOKEN), cameBack(secrets.LLM_API_KEY)],
  'credential-files': [withAttempts(success, planted), withAttempts(refusal)],
  'credential-processes': [withAttempts(success, planted), withAttempts(refusal)],
  'dns-wildcard': [
    atAttacker(...Array.from({ length: 17 }, (_, index) => question(`a${index}.${NAMES.cdn}`))),
    atAttacker(
      ...Array.from({ length: 9 }, (_, index) => question(`${'x'.repeat(30)}${index}.${NAMES.cdn}`)),
    ),
    atAttacker(question(`abc.${NAMES.attacker}`)),
    atAttacker(reached('tcp', 'hello')),
  ],
  rebinding: [withAttempts(success), withAttempts({ ...refusal, said: 'HTTP/1.1 504 (upstream-timeout)' })],
  impostor: [atAttacker(reached('tcp', 'a ClientHello'), reached('tls', 'GET / HTTP/1.1')), atAttacker()],
  redirect: [
    atAttacker(reached('tls', 'GET /')),
    withAttempts(success),
    cameBack(secrets.ECHO_TOKEN),
    strangeCredential,
  ],
  'reflected-credential': [
    cameBack(secrets.ECHO_TOKEN),
    cameBack(Buffer.from(`user:${secrets.ECHO_TOKEN}`).toString('base64')),
    cameBack(secrets.ECHO_TOKEN.slice(8, 24)),
    (held) => withRecords(held, { echo: [] }),
  ],
  'reflected-websocket': [cameBack(secrets.ECHO_TOKEN), (held) => withRecords(held, { echo: [] })],
  'path-escape': [(held) => withRecords(held, { jira: [request({ target: '/admin', outside: true })] })],
  'method-not-allowed': [arrivedAt('jira')],
  'identity-mismatch': [arrivedAt('jira'), arrivedAt('llm'), arrivedAt('echo')],
  'plain-http': [arrivedAt('jira')],
  'request-smuggling': [
    (held) => withRecords(held, { jira: [request({ target: '/admin', outside: true })] }),
    (held) => withRecords(held, { jira: [request({ target: '/', credential: 'missing' })] }),
    atAttacker(reached('tls', 'GET /')),
  ],
  'file-system': [
    (held) => ({ ...held, host: { ...held.host, damage: ['/etc/egress-demo'] } }),
    withAttempts(success),
  ],
  kernel: [(held) => ({ ...held, host: { ...held.host, damage: ['core_pattern'] } }), withAttempts(success)],
  'fork-bomb': [withAttempts({ ...success, said: 'exit 0 at 2000 processes' }), withAttempts(refusal)],
  'whole-run': [
    (held) => withRecords(held, { attacker: [reached('dns-udp', secrets.JIRA_TOKEN)] }),
    (held) => ({ ...held, output: `oops ${Buffer.from(secrets.LLM_API_KEY).toString('hex')}` }),
  ],
}

/** What every row that is a plain refusal must see. */
const ANY_LEAK = [
  withAttempts(refusal, success),
  atAttacker(reached('tcp', '')),
  atAttacker(reached('dns-tcp', marker)),
  cameBack(secrets.ECHO_TOKEN),
  cameBack(Buffer.from(secrets.ECHO_TOKEN).toString('base64url')),
]

for (const row of TABLE) {
  await t.test(row.id, (t) => {
    const held = evidenceOf(row)
    t.equal(judgeRow(row, held).held, true, 'holds where nothing leaked')
    for (const [index, leak] of (LEAKS[row.id] ?? ANY_LEAK).entries()) {
      const judged = judgeRow(row, leak(held))
      t.equal(judged.held, false, `leak ${index}: ${judged.evidence}`)
      t.equal(judged.twin.held, true, 'and the twin is not to blame')
    }
    for (const [what, broken] of Object.entries(brokenTwins(held))) {
      t.equal(judgeRow(row, broken).twin.held, false, `${what}: a gate that is down fails`)
    }
    if (row.id !== 'whole-run') {
      const { inside } = held
      const attack = { started: 0, ended: 1, attempts: [], error: 'stuck' }
      t.equal(row.judge({ ...held, inside: null }).held, false, 'an attack that did not run shows nothing')
      t.equal(
        row.judge({ ...held, inside: inside && { ...inside, attack } }).held,
        false,
        'nor one that broke off',
      )
    }
    t.end()
  })
}

function evidenceOf(row: Row): Evidence {
  const { attempts = [refusal], attacker = [], echo = [] } = HELD[row.id] ?? {}
  const twin = `/?twin=${marker}`
  const uncredited = ['dns-wildcard', 'identity-mismatch', 'rebinding'].includes(row.id)
  const whole: Records = {
    jira: [request({ target: twin })],
    llm: [request({ target: '/v1/messages' })],
    echo: [...echo, request({ target: twin, credential: uncredited ? 'missing' : 'real' })],
    attacker,
  }
  return {
    inside: { row: row.id, attack: part(attempts), twin: part([success]) },
    during: { jira: [], llm: [], echo, attacker },
    whole,
    output: 'nothing of interest',
    needles: needlesOf(secrets),
    marker: { name: 'the data', value: marker, prefix: '' },
    host: { damage: [], workFiles: [`twin-${marker}`] },
  }
}

/** The same run with a gate that answers nobody. */
function brokenTwins(held: Evidence): Record<string, Evidence> {
  const inside = held.inside && { ...held.inside, twin: part([{ ...refusal, said: 'ECONNREFUSED' }]) }
  return {
    'no answer': { ...held, inside, whole: { jira: [], llm: [], echo: [], attacker: held.whole.attacker } },
  }
}

function part(attempts: readonly Attempt[]) {
  return { started: 1, ended: 2, attempts, error: null }
}

function withAttempts(...attempts: Attempt[]): (held: Evidence) => Evidence {
  return (held) => ({ ...held, inside: held.inside && { ...held.inside, attack: part(attempts) } })
}

function cameBack(text: string): (held: Evidence) => Evidence {
  return withAttempts({ ...refusal, bytes: base64(`HTTP/1.1 200 OK\r\n\r\nyou sent ${text}`) })
}

function atAttacker(...attacker: AttackerRecord[]): (held: Evidence) => Evidence {
  return (held) => withRecords({ ...held, whole: { ...held.whole, attacker } }, { attacker })
}

/** Records that came during the attack, which therefore are in the whole too. */
function withRecords(held: Evidence, records: Partial<Records>): Evidence {
  const twins = held.whole.echo.filter(({ target }) => target.includes('twin='))
  return {
    ...held,
    during: { ...held.during, ...records },
    whole: {
      ...held.whole,
      attacker: records.attacker ?? held.whole.attacker,
      echo: [...(records.echo ?? held.during.echo), ...twins],
    },
  }
}

function arrivedAt(service: 'jira' | 'llm' | 'echo'): (held: Evidence) => Evidence {
  return (held) => {
    const record = request({ target: `/x?attack=${marker}` })
    return { ...held, whole: { ...held.whole, [service]: [...held.whole[service], record] } }
  }
}

/** A redirect took one service's credential to another. */
function strangeCredential(held: Evidence): Evidence {
  const record = request({ target: '/', headers: [['authorization', `Bearer ${secrets.ECHO_TOKEN}`]] })
  return { ...held, whole: { ...held.whole, llm: [record] } }
}

function request(fields: Partial<RequestRecord>): RequestRecord {
  return { at: 1, method: 'GET', target: '/', headers: [], credential: 'real', outside: false, ...fields }
}

function reached(via: AttackerRecord['via'], text: string): AttackerRecord {
  return { at: 1, via, connection: 1, bytes: base64(text), serverName: null, question: null }
}

function question(name: string): AttackerRecord {
  return { ...reached('dns-udp', name), question: { name, type: 1 } }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
