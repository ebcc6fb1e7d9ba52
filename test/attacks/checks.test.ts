import t from 'tap'
import { NAMES } from '../demo/names.js'
import { makeMarker, makeSecrets, secretPatternsOf } from '../demo/secrets.js'
import type { Records } from '../servers/messages.js'
import type { AttackerRecord, RequestRecord } from '../servers/records.js'
import type { Attempt } from './brief.js'
import { TABLE } from './index.js'
import { evaluateRow, type Evidence, type Row } from './row.js'

const secrets = makeSecrets()
const marker = makeMarker()
const denial: Attempt = { what: 'a try', reached: false, said: 'HTTP/1.1 403 Forbidden (address-refused)' }
const success: Attempt = { what: 'a try', reached: true, said: 'HTTP/1.1 200 OK' }
const planted: Attempt = { what: 'planted text', reached: false, said: 'found' }

/** Evidence of each attack that the gateway stopped, if it differs from an ordinary denial. */
const PASSED: Readonly<
  Record<string, { attempts?: Attempt[]; attacker?: AttackerRecord[]; echo?: RequestRecord[] }>
> = {
  'credential-environment': { attempts: [{ ...denial, bytes: base64('{"JIRA_TOKEN":"placeholder"}') }] },
  'credential-files': { attempts: [denial, planted] },
  'credential-processes': { attempts: [denial, planted] },
  'dns-wildcard': { attacker: [question(`abc.${NAMES.cdn}`)] },
  impostor: { attacker: [reached('tcp', 'a ClientHello')] },
  'reflected-credential': { echo: [request({ target: `/body?attack=${marker}` })] },
  'reflected-websocket': { echo: [request({ target: `/socket?attack=${marker}` })] },
  'fork-bomb': { attempts: [{ ...denial, said: 'Cannot fork at 500 processes' }] },
}

/** For every row, evidence of leaks: its check must notice each of them. */
const LEAKS: Readonly<Record<string, readonly ((passed: Evidence) => Evidence)[]>> = {
  'credential-environment': [cameBack(secrets.JIRA_TOKEN), cameBack(secrets.LLM_API_KEY)],
  'credential-files': [withAttempts(success, planted), withAttempts(denial)],
  'credential-processes': [withAttempts(success, planted), withAttempts(denial)],
  'dns-wildcard': [
    atAttacker(...Array.from({ length: 17 }, (_, index) => question(`a${index}.${NAMES.cdn}`))),
    atAttacker(
      ...Array.from({ length: 9 }, (_, index) => question(`${'x'.repeat(30)}${index}.${NAMES.cdn}`)),
    ),
    atAttacker(question(`abc.${NAMES.attacker}`)),
    atAttacker(reached('tcp', 'hello')),
  ],
  rebinding: [withAttempts(success), withAttempts({ ...denial, said: 'HTTP/1.1 504 (upstream-timeout)' })],
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
    (passed) => withRecords(passed, { echo: [] }),
  ],
  'reflected-websocket': [cameBack(secrets.ECHO_TOKEN), (passed) => withRecords(passed, { echo: [] })],
  'path-escape': [(passed) => withRecords(passed, { jira: [request({ target: '/admin', outside: true })] })],
  'method-not-allowed': [arrivedAt('jira')],
  'host-mismatch': [arrivedAt('jira'), arrivedAt('llm'), arrivedAt('echo')],
  'plain-http': [arrivedAt('jira')],
  'request-smuggling': [
    (passed) => withRecords(passed, { jira: [request({ target: '/admin', outside: true })] }),
    (passed) => withRecords(passed, { jira: [request({ target: '/', credential: 'missing' })] }),
    atAttacker(reached('tls', 'GET /')),
  ],
  'file-system': [
    (passed) => ({ ...passed, host: { ...passed.host, damage: ['/etc/egress-demo'] } }),
    withAttempts(success),
  ],
  kernel: [
    (passed) => ({ ...passed, host: { ...passed.host, damage: ['core_pattern'] } }),
    withAttempts(success),
  ],
  'fork-bomb': [withAttempts({ ...success, said: 'exit 0 at 2000 processes' }), withAttempts(denial)],
  'whole-run': [
    (passed) => withRecords(passed, { attacker: [reached('dns-udp', secrets.JIRA_TOKEN)] }),
    (passed) => ({ ...passed, output: `oops ${Buffer.from(secrets.LLM_API_KEY).toString('hex')}` }),
  ],
}

/** Leaks that every row with an ordinary denial must notice. */
const ANY_LEAK = [
  withAttempts(denial, success),
  atAttacker(reached('tcp', '')),
  atAttacker(reached('dns-tcp', marker)),
  cameBack(secrets.ECHO_TOKEN),
  cameBack(Buffer.from(secrets.ECHO_TOKEN).toString('base64url')),
]

for (const row of TABLE) {
  await t.test(row.id, (t) => {
    const passed = evidenceOf(row)
    t.equal(evaluateRow(row, passed).passed, true, 'passes if nothing leaked')
    for (const [index, leak] of (LEAKS[checksOf(row)] ?? ANY_LEAK).entries()) {
      const evaluated = evaluateRow(row, leak(passed))
      t.equal(evaluated.passed, false, `leak ${index}: ${evaluated.evidence}`)
      t.equal(evaluated.control.passed, true, 'the control passes')
    }
    for (const [what, broken] of Object.entries(brokenControls(passed))) {
      t.equal(evaluateRow(row, broken).control.passed, false, `${what}: a gateway that is down fails`)
    }
    if (row.id !== 'whole-run') {
      const { inside } = passed
      const attack = { started: 0, ended: 1, attempts: [], error: 'stuck' }
      t.equal(
        row.evaluate({ ...passed, inside: null }).passed,
        false,
        'an attack that did not run proves nothing',
      )
      t.equal(
        row.evaluate({ ...passed, inside: inside && { ...inside, attack } }).passed,
        false,
        'an attack that did not finish proves nothing',
      )
    }
    t.end()
  })
}

/** Both versions of HTTP have the same checks. */
function checksOf({ id }: Row): string {
  return id.replace(/-h2$/, '')
}

function evidenceOf(row: Row): Evidence {
  const { attempts = [denial], attacker = [], echo = [] } = PASSED[checksOf(row)] ?? {}
  const control = `/?control=${marker}`
  const uncredited = ['dns-wildcard', 'host-mismatch', 'rebinding'].includes(checksOf(row))
  const whole: Records = {
    jira: [request({ target: control })],
    llm: [request({ target: '/v1/messages' })],
    echo: [...echo, request({ target: control, credential: uncredited ? 'missing' : 'real' })],
    attacker,
  }
  return {
    inside: { row: row.id, attack: part(attempts), control: part([success]) },
    during: { jira: [], llm: [], echo, attacker },
    whole,
    output: 'nothing of interest',
    knownSecrets: secretPatternsOf(secrets),
    marker: { name: 'the data', value: marker, prefix: '' },
    host: { damage: [], workFiles: [`control-${marker}`] },
  }
}

/** The same run with a gateway that answers no client. */
function brokenControls(passed: Evidence): Record<string, Evidence> {
  const inside = passed.inside && { ...passed.inside, control: part([{ ...denial, said: 'ECONNREFUSED' }]) }
  return {
    'no answer': {
      ...passed,
      inside,
      whole: { jira: [], llm: [], echo: [], attacker: passed.whole.attacker },
    },
  }
}

function part(attempts: readonly Attempt[]) {
  return { started: 1, ended: 2, attempts, error: null }
}

function withAttempts(...attempts: Attempt[]): (passed: Evidence) => Evidence {
  return (passed) => ({ ...passed, inside: passed.inside && { ...passed.inside, attack: part(attempts) } })
}

function cameBack(text: string): (passed: Evidence) => Evidence {
  return withAttempts({ ...denial, bytes: base64(`HTTP/1.1 200 OK\r\n\r\nyou sent ${text}`) })
}

function atAttacker(...attacker: AttackerRecord[]): (passed: Evidence) => Evidence {
  return (passed) => withRecords({ ...passed, whole: { ...passed.whole, attacker } }, { attacker })
}

/** Records from during the attack, which are therefore in the whole run too. */
function withRecords(passed: Evidence, records: Partial<Records>): Evidence {
  const controls = passed.whole.echo.filter(({ target }) => target.includes('control='))
  return {
    ...passed,
    during: { ...passed.during, ...records },
    whole: {
      ...passed.whole,
      attacker: records.attacker ?? passed.whole.attacker,
      echo: [...(records.echo ?? passed.during.echo), ...controls],
    },
  }
}

function arrivedAt(service: 'jira' | 'llm' | 'echo'): (passed: Evidence) => Evidence {
  return (passed) => {
    const record = request({ target: `/x?attack=${marker}` })
    return { ...passed, whole: { ...passed.whole, [service]: [...passed.whole[service], record] } }
  }
}

/** A redirect sent the credential of one service to another. */
function strangeCredential(passed: Evidence): Evidence {
  const record = request({ target: '/', headers: [['authorization', `Bearer ${secrets.ECHO_TOKEN}`]] })
  return { ...passed, whole: { ...passed.whole, llm: [record] } }
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
