import { createSocket, type Socket } from 'node:dgram'

/** The attacker's authoritative name server: records the name of every question, and forwards it to the server of a tunnel. */
export interface LeakServer {
  readonly port: number
  /** Distinct labels below the attacker's domain, as on the wire. */
  readonly names: Set<string>
  close(): void
}

export async function startLeakServer(domain: string, tunnelPort: number, port = 0): Promise<LeakServer> {
  const names = new Set<string>()
  const outer = createSocket('udp4')
  const relays = new Set<Socket>()
  outer.on('message', (query, client) => {
    const name = nameIn(query)
    if (name.toLowerCase().endsWith(`.${domain}`)) names.add(name.slice(0, -domain.length - 1))
    const relay = createSocket('udp4')
    relays.add(relay)
    relay.on('error', () => undefined)
    relay.on('message', (answer) => outer.send(answer, client.port, client.address))
    relay.send(query, tunnelPort, '127.0.0.1')
  })
  await new Promise<void>((resolve) => outer.bind(port, '127.0.0.1', resolve))
  return {
    port: outer.address().port,
    names,
    close() {
      outer.close()
      for (const relay of relays) relay.close()
    },
  }
}

/** The first question's name, labels joined by dots; labels after a malformed one are ignored. */
function nameIn(query: Buffer): string {
  const labels: string[] = []
  for (let at = 12; (query[at] ?? 0) > 0 && (query[at] ?? 0) < 64; at += 1 + (query[at] ?? 0)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)))
  }
  return labels.join('.')
}
