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
import type { Evidence, Check, Row } from './row.js'

/** No request of this attack reached a service. */
const noServiceSawIt: Check = (evidence) => {
  const seen = (['jira', 'llm', 'echo'] as const).find((service) => arrivals(evidence, service).length > 0)
  return seen === undefined
    ? { passed: true, evidence: '' }
    : { passed: false, evidence: `${arrivals(evidence, seen).length} requests arrived at ${seen}` }
}

/** The policy allows every request that arrived at Jira, even as the most lenient server would read it. */
const nothingOutside: Check = ({ during }) => {
  const outside = during.jira.filter((record) => record.outside)
  const targets = outside.map(({ method, target }) => `${method} ${target.split('?')[0] ?? ''}`)
  return outside.length === 0
    ? { passed: true, evidence: 'Jira saw no request outside its rules' }
    : { passed: false, evidence: `Jira received ${[...new Set(targets)].join(', ')}` }
}

/** Every request that arrived had the right credential, and only that one. */
const credentialsIntact: Check = ({ during }) => {
  const wrong = during.jira.find(({ credential }) => credential !== 'real')
  return wrong === undefined
    ? { passed: true, evidence: '' }
    : { passed: false, evidence: `a request arrived with the credential ${wrong.credential}` }
}

/** The service received the credential and returned it; otherwise there was nothing to redact. */
const wasReflected: Check = (evidence) => {
  const received = arrivals(evidence, 'echo').filter(({ credential }) => credential === 'real').length
  const tried = evidence.inside?.attack.attempts.length ?? 0
  return {
    passed: received === tried && tried > 0,
    evidence: `${received} of ${tried} responses contained it, all redacted`,
  }
}

/** No service received the credential of another. */
const credentialsStayedHome: Check = ({ whole, knownSecrets }: Evidence) => {
  const owners = { jira: 'JIRA_TOKEN', llm: 'LLM_API_KEY', echo: 'ECHO_TOKEN' } as const
  for (const service of ['jira', 'llm', 'echo'] as const) {
    const foreign = knownSecrets.filter(({ name }) => name !== owners[service])
    const finds = findLeaks(Buffer.from(JSON.stringify(whole[service])), foreign)
    if (finds.length > 0) return { passed: false, evidence: `${service} received ${namesOf(finds)}` }
  }
  return { passed: true, evidence: '' }
}

/** TLS may start, but no request may follow a certificate of the wrong CA. */
const nothingAfterHandshake: Check = ({ during }) => {
  const requests = during.attacker.filter(({ via }) => via === 'tls')
  return requests.length === 0
    ? { passed: true, evidence: 'attacker got a ClientHello, 0 bytes of a request' }
    : { passed: false, evidence: `the attacker finished TLS and read ${bytesOf(requests)} bytes` }
}

/** The attack reached its point: the gateway connected to the address of the name. */
const wentThere: Check = ({ during }) =>
  during.attacker.length > 0
    ? { passed: true, evidence: '' }
    : { passed: false, evidence: 'the gateway never connected, so its verification was not tried' }

export const requestRows: readonly Row[] = [
  {
    id: 'host-mismatch',
    hasHttp: true,
    title: 'CONNECT, SNI and Host that disagree',
    threat:
      'A request checked under one name and sent to another goes to a host that the policy does not allow.',
    evaluate: all(refused, noServiceSawIt),
    control: controlArrived('echo', 'missing'),
  },
  {
    id: 'redirect',
    hasHttp: true,
    title: 'redirect to the attacker',
    threat: 'A proxy that follows a redirect sends the credential to the new host.',
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
    hasHttp: true,
    title: 'upstream with a foreign certificate',
    threat: 'An attacker who controls DNS or routes receives the credential, unless TLS is verified first.',
    evaluate: all(attackRan, nothingWorkedInside, noCredentialInside, wentThere, nothingAfterHandshake),
    control: controlArrived('jira'),
  },
  {
    id: 'plain-http',
    hasHttp: true,
    title: 'a credential over plain HTTP',
    threat: 'Anyone on the network path can read a credential in clear text.',
    evaluate: all(refused, noServiceSawIt),
    control: controlArrived('jira'),
  },
  {
    id: 'reflected-credential',
    hasHttp: true,
    title: 'service that reflects the credential',
    threat: 'The injected credential comes back in a header or body, whole, in part or compressed.',
    evaluate: all(attackRan, noCredentialInside, wasReflected),
    control: controlArrived('echo'),
  },
  {
    id: 'reflected-websocket',
    hasHttp: true,
    title: 'WebSocket that reflects the credential',
    threat: 'After the upgrade, redaction of HTTP responses does not see the data.',
    evaluate: all(attackRan, noCredentialInside, wasReflected),
    control: controlArrived('echo'),
  },
  {
    id: 'path-escape',
    hasHttp: true,
    title: 'paths that climb out of a rule',
    threat: 'A server that decodes once more than the gateway sees another path than the one checked.',
    evaluate: all(refused, nothingOutside),
    control: controlArrived('jira'),
  },
  {
    id: 'method-not-allowed',
    hasHttp: true,
    title: 'methods that no rule allows',
    threat: 'A credential for reading and creating must not delete.',
    evaluate: all(refused, noServiceSawIt),
    control: controlArrived('jira'),
  },
  {
    id: 'request-smuggling',
    hasHttp: true,
    title: 'ambiguous requests (request smuggling)',
    threat: 'A second request hidden in the first is sent with the credential, but not checked.',
    evaluate: all(attackRan, attackerGotNothing, noCredentialInside, credentialsIntact, nothingOutside),
    control: controlArrived('jira'),
  },
]
