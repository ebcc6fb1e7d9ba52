import { stringify } from 'yaml'
import type { Ports } from '../servers/messages.js'
import { NAMES } from './names.js'

/**
 * The policy of the demo. Every listed name leads to a mock server. The attacker's name server resolves every other name, so
 * it notices if the gateway looks one up.
 */
export function demoPolicy(ports: Ports, address = '127.0.0.1'): string {
  const at = (port: number): string => `${address}:${port}`
  const local = { allow_private_addresses: true, ca: './ca.pem' }
  return stringify({
    services: {
      jira: {
        url: `https://${NAMES.jira}`,
        credential: { bearer: '${JIRA_TOKEN}' },
        rules: [{ deny: 'GET,POST /rest/api/2/secure/**' }, { allow: 'GET,POST /rest/api/2/**' }],
        ...local,
        rate: { per_second: 50, burst: 100 },
        env: { JIRA_SERVER: '{url}' },
      },
      llm: {
        url: `https://${NAMES.llm}`,
        credential: { header: { name: 'x-api-key', value: '${LLM_API_KEY}' } },
        rules: [{ allow: 'POST /v1/messages' }],
        ...local,
      },
      echo: {
        url: `https://${NAMES.echo}`,
        credential: { bearer: '${ECHO_TOKEN}' },
        rules: [{ allow: 'GET,POST /**' }],
        ...local,
      },
      impostor: {
        url: `https://${NAMES.impostor}`,
        credential: { bearer: '${ECHO_TOKEN}' },
        rules: [{ allow: 'GET /**' }],
        ...local,
      },
    },
    allow: [
      { host: `*.${NAMES.cdn}`, ...local },
      { host: NAMES.tunnel, tunnel: true, allow_private_addresses: true },
    ],
    upstream: {
      hosts: {
        [NAMES.jira]: at(ports.jira),
        [NAMES.llm]: at(ports.llm),
        [NAMES.echo]: at(ports.echo),
        [NAMES.tunnel]: at(ports.echo),
        [NAMES.assets]: at(ports.echo),
        [NAMES.impostor]: at(ports.attacker),
      },
      servers: [at(ports.attackerDns)],
    },
  })
}
