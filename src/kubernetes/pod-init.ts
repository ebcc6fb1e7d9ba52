#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { EgressError, EXIT, exitCodeOf, formatError } from '../common/errors.js'
import { holdBack, type Canary } from './hold-back.js'
import { checkResolver, joinGateway, writeAgentFiles } from './join-gateway.js'
import { POD_PORTS } from './registration-listener.js'

// The init container of an agent's pod: holds the agent back until the network policy is in force, registers the pod, and writes what
// the agent needs. It has no privilege, and the agent's container gets nothing of its token.

const DEFAULT_TOKEN = '/var/run/secrets/egress/token'
const DEFAULT_FILES = '/etc/egress'
const DEFAULT_PATIENCE_S = 60

/** The pod's only name server is its shard: it was given to the pod with dnsConfig. */
function shardIn(resolvConf: string): string {
  const servers = [...resolvConf.matchAll(/^nameserver\s+(\S+)/gm)].map((found) => found[1] ?? '')
  const [only = '', ...more] = servers
  if (more.length === 0 && isIP(only) === 4) return only
  throw new EgressError({
    code: 'EGRESS_POD',
    problem: `This pod has ${servers.length === 0 ? 'no name server' : `the name servers ${servers.join(', ')}`}; the agent is not started`,
    fix: 'Set `dnsPolicy: None` and, in dnsConfig, the ClusterIP of its shard as the only name server',
    exitCode: EXIT.failed,
  })
}

function canariesOf(gateway: string, env: NodeJS.ProcessEnv): Canary[] {
  const own = { what: 'the canary of the gateway', host: gateway, port: POD_PORTS.canary }
  // Every pod is told where the API server is, and no agent may reach it.
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  return [own, ...(host === undefined ? [] : [{ what: 'the API server', host, port: Number(port) }])]
}

try {
  const { env } = process
  const patienceMs = Number(env['EGRESS_PATIENCE'] ?? DEFAULT_PATIENCE_S) * 1000
  const gateway = shardIn(readFileSync('/etc/resolv.conf', 'utf8'))
  const port = POD_PORTS.register
  const held = await holdBack({
    allowed: { what: 'the gateway', host: gateway, port },
    canaries: canariesOf(gateway, env),
    patienceMs,
  })
  const tokenFile = env['EGRESS_TOKEN_FILE'] ?? DEFAULT_TOKEN
  const answer = await joinGateway({ gateway, port, tokenFile, patienceMs })
  await checkResolver(gateway, patienceMs)
  writeAgentFiles(env['EGRESS_FILES'] ?? DEFAULT_FILES, answer, Date.now())
  const open = held.reached === 0 ? '' : `, open in the first ${String(held.reached)}`
  process.stdout.write(
    `egress: ${answer.sandbox} is agent ${answer.agent}; the network policy held after ${String(held.attempts)} attempts${open}\n`,
  )
} catch (error) {
  process.stderr.write(formatError(error))
  process.exitCode = exitCodeOf(error)
}
