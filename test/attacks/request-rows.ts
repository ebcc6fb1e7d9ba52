import { findLeaks } from '../servers/known-secrets.js'
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
  controlArrived,
} from './evaluating.js'
import type { Evidence, Judge, Row } from './row.js'

/** Nothing of this attack got to a service. */
const noServiceSawIt: Judge = (evidence) => {
  const seen = (['jira', 'llm', 'echo'] as const).find((service) => arrivals(evidence, service).length > 0)
  return seen === undefined
    ? { passed: true, evidence: '' }
    : { passed: false, evidence: `${arrivals(evidence, seen).length} requests arrived at ${seen}` }
}

/** Whatever arrived at Jira is what the policy allows, to the most obliging reader too. */
const nothingOutside: Judge = ({ during }) => {
  const outside = during.jira.filter((record) => record.outside)
  const targets = outside.map(({ method, target }) => `${method} ${target.split('?')[0] ?? ''}`)
  return outside.length === 0
    ? { passed: true, evidence: 'Jira saw no request outside its rules' }
    : { passed: false, evidence: `Jira received ${[...new Set(targets)].join(', ')}` }
}

/** Whatever arrived carried the credential that belongs there, and one only. */
const credentialsIntact: Judge = ({ during }) => {
  const wrong = during.jira.find(({ credential }) => credential !== 'real')
  return wrong === undefined
    ? { passed: true, evidence: '' }
    : { passed: false, evidence: `a request arrived with the credential ${wrong.credential}` }
}

/** The service did receive the credential and did give it back: else there was nothing to take out. */
const wasReflected: Judge = (evidence) => {
  const received = arrivals(evidence, 'echo').filter(({ credential }) => credential === 'real').length
  const tried = evidence.inside?.attack.attempts.length ?? 0
  return {
    passed: received === tried && tried > 0,
    evidence: `${received} of ${tried} responses held it, all redacted`,
  }
}

/** No service received what belongs to another. */
const credentialsStayedHome: Judge = ({ whole, knownSecrets }: Evidence) => {
  const owners = { jira: 'JIRA_TOKEN', llm: 'LLM_API_KEY', echo: 'ECHO_TOKEN' } as const
  for (const service of ['jira', 'llm', 'echo'] as const) {
    const foreign = knownSecrets.filter(({ name }) => name !== owners[service])
    const finds = findLeaks(Buffer.from(JSON.stringify(whole[service])), foreign)
    if (finds.length > 0) return { passed: false, evidence: `${service} received ${namesOf(finds)}` }
  }
  return { passed: true, evidence: '' }
}

/** TLS may begin, but no request may follow a certificate of the wrong authority. */
const nothingAfterHandshake: Judge = ({ during }) => {
  const requests = during.attacker.filter(({ via }) => via === 'tls')
  return requests.length === 0
    ? { passed: true, evidence: 'attacker got a ClientHello, 0 bytes of a request' }
    : { passed: false, evidence: `the attacker finished TLS and read ${bytesOf(requests)} bytes` }
}

/** The attack got as far as its point: the gateway did go to the address that the name led to. */
const wentThere: Judge = ({ during }) =>
  during.attacker.length > 0
    ? { passed: true, evidence: '' }
    : { passed: false, evidence: 'the gateway never connected, so its verification was not tried' }

export const requestRows: readonly Row[] = [
  {
    id: 'host-mismatch',
    title: 'CONNECT, SNI and Host that disagree',
    threat: 'What is checked by one name and sent by another goes where nobody allowed it.',
    evaluate: all(refused, noServiceSawIt),
    control: controlArrived('echo', 'missing'),
  },
  {
    id: 'redirect',
    title: 'redirect to the attacker',
    threat: 'A proxy that follows a redirect takes the credential along.',
    evaluate: all(
      attackRan,
      attackerGotNothing,
      nothingWorkedInside,
      noCredentialInside,
      credentialsStayedHome,
    ),
    control: controlArrived('echo'),
  },
  {
    id: 'impostor',
    title: 'upstream with a foreign certificate',
    threat: 'Whoever can bend DNS or routes receives the credential, unless TLS is verified first.',
    evaluate: all(attackRan, nothingWorkedInside, noCredentialInside, wentThere, nothingAfterHandshake),
    control: controlArrived('jira'),
  },
  {
    id: 'plain-http',
    title: 'a credential over plain HTTP',
    threat: 'A credential in clear text is read by everybody on the way.',
    evaluate: all(refused, noServiceSawIt),
    control: controlArrived('jira'),
  },
  {
    id: 'reflected-credential',
    title: 'service that reflects the credential',
    threat: 'What was put in on the way out comes back in a header, a body, a piece of either, compressed.',
    evaluate: all(attackRan, noCredentialInside, wasReflected),
    control: controlArrived('echo'),
  },
  {
    id: 'reflected-websocket',
    title: 'WebSocket that reflects the credential',
    threat: 'After the upgrade no HTTP is left that a redaction of responses would see.',
    evaluate: all(attackRan, noCredentialInside, wasReflected),
    control: controlArrived('echo'),
  },
  {
    id: 'path-escape',
    title: 'paths that climb out of a rule',
    threat: 'A server that decodes once more than the gateway reads another path than was checked.',
    evaluate: all(refused, nothingOutside),
    control: controlArrived('jira'),
  },
  {
    id: 'method-not-allowed',
    title: 'methods that no rule allows',
    threat: 'A credential that may read and create must not delete.',
    evaluate: all(refused, noServiceSawIt),
    control: controlArrived('jira'),
  },
  {
    id: 'request-smuggling',
    title: 'requests that read in two ways',
    threat: 'A second request inside the first is checked by nobody and carries the credential.',
    evaluate: all(attackRan, attackerGotNothing, noCredentialInside, credentialsIntact, nothingOutside),
    control: controlArrived('jira'),
  },
]
