import { randomBytes } from 'node:crypto'
import { getServers } from 'node:dns'
import { networkInterfaces } from 'node:os'
import type { Brief, Fingerprint } from '../attacks/brief.js'
import { fingerprint, WINDOW } from '../attacks/inside/lib/fingerprint.mjs'
import type { Ports } from '../servers/messages.js'
import { encodingsOf, type KnownSecret } from '../servers/known-secrets.js'
import { NAMES } from './names.js'

/** Addresses of the gateway: the sandbox's own loopback, or with Docker two neighbours. */
export function listenersAt(dns: string, proxy: string): Brief['listeners'] {
  return {
    dns: { host: dns, port: 53 },
    http: { host: proxy, port: 80 },
    https: { host: proxy, port: 443 },
    proxy: { host: proxy, port: 3128 },
    reverse: { host: proxy, port: 9199 },
  }
}

export interface BriefingInput {
  readonly rows: readonly string[]
  readonly listeners: Brief['listeners']
  readonly markers: Readonly<Record<string, string>>
  readonly knownSecrets: readonly KnownSecret[]
  readonly decoy: { readonly file: string; readonly text: string }
  readonly since: number
  readonly ports: Ports
  readonly unixName: string
  readonly hidden: readonly string[]
  readonly ca: string
}

/** The most useful input for the attack script, without secrets: those are only fingerprints. */
export function writeBrief(input: BriefingInput): Brief {
  const { rows, listeners, markers, knownSecrets, decoy, since, ports, unixName, hidden, ca } = input
  const salt = randomBytes(16).toString('hex')
  return {
    rows,
    listeners,
    markers,
    names: NAMES,
    attacker: { port: ports.attacker, dnsPort: ports.attackerDns, unixName },
    hostAddresses: hostAddresses(),
    hostResolvers: getServers().map((server) => server.replace(/^\[|\](:\d+)?$/g, '')),
    fingerprints: knownSecrets.flatMap((knownSecret) => fingerprintsOf(knownSecret, salt)),
    salt,
    decoy: { file: decoy.file, fingerprint: fingerprint('decoy', decoy.text, salt) },
    since,
    hidden,
    ca,
  }
}

function fingerprintsOf({ name, value }: KnownSecret, salt: string): Fingerprint[] {
  return Object.entries(encodingsOf(value)).flatMap(([encoding, texts]) =>
    texts
      .filter((text) => text.length >= WINDOW)
      .map((text) => fingerprint(`${name} (${encoding})`, text, salt)),
  )
}

function hostAddresses(): string[] {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  // Link-local addresses need a zone, which is meaningless in another namespace.
  return interfaces.filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address)
}
