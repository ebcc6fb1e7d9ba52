import { findNeedles } from '../stand-ins/needles.js'
import {
  all,
  arrivals,
  attackerGotNothing,
  attackRan,
  bytesOf,
  namesOf,
  noCredentialInside,
  nothingWorkedInside,
  refused,
  twinArrived,
} from './judging.js'
import type { Evidence, Judge, Row } from './row.js'

/** Nothing of this attack got to a service. */
const noServiceSawIt: Judge = (evidence) => {
  const seen = (['jira', 'llm', 'echo'] as const).find((service) => arrivals(evidence, service).length > 0)
  return seen === undefined
    ? { held: true, evidence: '' }
    : { held: false, evidence: `${arrivals(evidence, seen).length} requests arrived at ${seen}` }
}

/** Whatever arrived at Jira is what the policy allows, to the most obliging reader too. */
const nothingOutside: Judge = ({ during }) => {
  const outside = during.jira.filter((record) => record.outside)
  const targets = outside.map(({ method, target }) => `${method} ${target.split('?')[0] ?? ''}`)
  return outside.length === 0
    ? { held: true, evidence: 'Jira saw no request outside its rules' }
    : { held: false, evidence: `Jira received ${[...new Set(targets)].join(', ')}` }
}

/** Whatever arrived carried the credential that belongs there, and one only. */
const credentialsIntact: Judge = ({ during }) => {
  const wrong = during.jira.find(({ credential }) => credential !== 'real')
  return wrong === undefined
    ? { held: true, evidence: '' }
    : { held: false, evidence: `a request arrived with the credential ${wrong.credential}` }
}

/** The service did receive the credential and did give it back: else there was nothing to take out. */
const wasReflected: Judge = (evidence) => {
  const received = arrivals(evidence, 'echo').filter(({ credential }) => credential === 'real').length
  const tried = evidence.inside?.attack.attempts.length ?? 0
  return {
    held: received === tried && tried > 0,
    evidence: `${received} of ${tried} responses held it, all redacted`,
  }
}

/** No service received what belongs to another. */
const credentialsStayedHome: Judge = ({ whole, needles }: Evidence) => {
  const owners = { jira: 'JIRA_TOKEN', llm: 'LLM_API_KEY', echo: 'ECHO_TOKEN' } as const
  for (const service of ['jira', 'llm', 'echo'] as const) {
    const foreign = needles.filter(({ name }) => name !== owners[service])
    const finds = findNeedles(Buffer.from(JSON.stringify(whole[service])), foreign)
    if (finds.length > 0) return { held: false, evidence: `${service} received ${namesOf(finds)}` }
  }
  return { held: true, evidence: '' }
}

/** TLS may begin, but no request may follow a certificate of the wrong authority. */
const nothingAfterHandshake: Judge = ({ during }) => {
  const requests = during.attacker.filter(({ via }) => via === 'tls')
  return requests.length === 0
    ? { held: true, evidence: 'attacker got a ClientHello, 0 bytes of a request' }
    : { held: false, evidence: `the attacker finished TLS and read ${bytesOf(requests)} bytes` }
}

/** The attack got as far as its point: the gate did go to the address that the name led to. */
const wentThere: Judge = ({ during }) =>
  during.attacker.length > 0
    ? { held: true, evidence: '' }
    : { held: false, evidence: 'the gate never connected, so its verification was not tried' }

export const requestRows: readonly Row[] = [
  {
    id: 'identity-mismatch',
    title: 'CONNECT, SNI and Host that disagree',
    threat: 'What is judged by one name and sent by another goes where nobody allowed it.',
    judge: all(refused, noServiceSawIt),
    twin: twinArrived('echo', 'missing'),
  },
  {
    id: 'redirect',
    title: 'redirect to the attacker',
    threat: 'A proxy that follows a redirect takes the credential along.',
    judge: all(attackRan, attackerGotNothing, nothingWorkedInside, noCredentialInside, credentialsStayedHome),
    twin: twinArrived('echo'),
  },
  {
    id: 'impostor',
    title: 'upstream with a foreign certificate',
    threat: 'Whoever can bend DNS or routes receives the credential, unless TLS is verified first.',
    judge: all(attackRan, nothingWorkedInside, noCredentialInside, wentThere, nothingAfterHandshake),
    twin: twinArrived('jira'),
  },
  {
    id: 'plain-http',
    title: 'a credential over plain HTTP',
    threat: 'A credential in clear text is read by everybody on the way.',
    judge: all(refused, noServiceSawIt),
    twin: twinArrived('jira'),
  },
  {
    id: 'reflected-credential',
    title: 'service that reflects the credential',
    threat: 'What was put in on the way out comes back in a header, a body, a piece of either, compressed.',
    judge: all(attackRan, noCredentialInside, wasReflected),
    twin: twinArrived('echo'),
  },
  {
    id: 'reflected-websocket',
    title: 'WebSocket that reflects the credential',
    threat: 'After the upgrade no HTTP is left that a redaction of responses would see.',
    judge: all(attackRan, noCredentialInside, wasReflected),
    twin: twinArrived('echo'),
  },
  {
    id: 'path-escape',
    title: 'paths that climb out of a rule',
    threat: 'A server that decodes once more than the gate reads another path than was judged.',
    judge: all(refused, nothingOutside),
    twin: twinArrived('jira'),
  },
  {
    id: 'method-not-allowed',
    title: 'methods that no rule allows',
    threat: 'A credential that may read and create must not delete.',
    judge: all(refused, noServiceSawIt),
    twin: twinArrived('jira'),
  },
  {
    id: 'request-smuggling',
    title: 'requests that read in two ways',
    threat: 'A second request inside the first is judged by nobody and carries the credential.',
    judge: all(attackRan, attackerGotNothing, noCredentialInside, credentialsIntact, nothingOutside),
    twin: twinArrived('jira'),
  },
]
