import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { listenDns } from './attacker-dns.js'
import type { Identity } from './certificate-authority.js'
import { findLeaks, type Find, type KnownSecret } from './known-secrets.js'
import type { AttackerRecord, Placeholder } from './records.js'

/** Every server that an attacker could run; it records everything that reaches it. */
export interface Attacker extends Placeholder<AttackerRecord> {
  /** UDP and TCP port of its name server. */
  readonly dnsPort: number
  /** Which of these texts reached it, in any way and encoding. */
  find(knownSecrets: readonly KnownSecret[]): Find[]
}

/** First byte of a TLS record that carries a handshake (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16

/**
 * Starts the attacker: one TCP port for plain HTTP and for TLS under any name, a socket in the abstract
 * namespace, and a name server.
 *
 * @param identity  an untrusted certificate for every name that it might impersonate
 * @param addresses answers of its name server, by name; 127.0.0.1 for all others
 * @param unixName  name of its abstract socket, which only network namespaces isolate
 */
export async function startAttacker(
  identity: Identity,
  addresses: Readonly<Record<string, string>>,
  unixName: string,
  host = '127.0.0.1',
  dnsHost = host,
): Promise<Attacker> {
  const records: AttackerRecord[] = []
  let connections = 0
  const note = (entry: Omit<AttackerRecord, 'at' | 'connection'>, connection = ++connections): number => {
    records.push({ at: Date.now(), connection, ...entry })
    return connection
  }
  const http = createHttpServer((_request, response) => response.end('thank you\n'))
  const tls = createTlsServer({ ...identity, ALPNProtocols: ['http/1.1'] }, (socket) => {
    const serverName = serverNameOf(socket)
    const connection = note({ via: 'tls', bytes: '', serverName, question: null })
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      note({ via: 'tls', bytes: bytes.toString('base64'), serverName, question: null }, connection)
    })
    http.emit('connection', socket)
  })
  tls.on('tlsClientError', () => undefined)

  const accept = (via: 'tcp' | 'unix') => (socket: Socket) => {
    const connection = note({ via, bytes: '', serverName: null, question: null })
    socket.on('error', () => socket.destroy())
    socket.once('data', (first: Buffer) => {
      note({ via, bytes: first.toString('base64'), serverName: null, question: null }, connection)
      socket.pause()
      socket.unshift(first)
      if (first[0] === TLS_HANDSHAKE) {
        tls.emit('connection', socket)
        return
      }
      http.emit('connection', socket)
      socket.on('data', (bytes: Buffer) => {
        note({ via, bytes: bytes.toString('base64'), serverName: null, question: null }, connection)
      })
    })
  }
  const tcp = await listen(createServer(accept('tcp')), { port: 0, host })
  const unix = await listen(createServer(accept('unix')), { path: `\0${unixName}` })
  const dns = await listenDns(addresses, note, dnsHost)
  return {
    port: (tcp.server.address() as AddressInfo).port,
    dnsPort: dns.port,
    records,
    find: (knownSecrets) => findInRecords(records, knownSecrets),
    close: async () => {
      await Promise.all([tcp.close(), unix.close(), dns.close()])
    },
  }
}

/** Searches the joined bytes of each connection, and all DNS names joined in order. */
export function findInRecords(
  records: readonly AttackerRecord[],
  knownSecrets: readonly KnownSecret[],
): Find[] {
  const streams = new Map<string, Buffer[]>()
  for (const { via, connection, bytes, question } of records) {
    const key = question === null ? `${via} ${connection}` : 'names'
    const part = question === null ? Buffer.from(bytes, 'base64') : Buffer.from(`${question.name}\n`)
    streams.set(key, [...(streams.get(key) ?? []), part])
    if (question !== null) streams.set(`message ${connection}`, [Buffer.from(bytes, 'base64')])
  }
  const finds = [...streams.values()].flatMap((parts) => findLeaks(Buffer.concat(parts), knownSecrets))
  return [...new Map(finds.map((find) => [`${find.knownSecret} ${find.encoding}`, find])).values()]
}

function serverNameOf(socket: TLSSocket): string | null {
  const { servername } = socket as TLSSocket & { servername?: string | false }
  return typeof servername === 'string' ? servername : null
}

async function listen(
  server: Server,
  where: { port: number; host: string } | { path: string },
): Promise<{ server: Server; close: () => Promise<void> }> {
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.listen(where)
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    server.close()
    for (const socket of open) socket.destroy()
    await once(server, 'close')
  }
  return { server, close }
}
