import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Endpoint } from '../../brief.js'

export const TYPES = { A: 1, CNAME: 5, NULL: 10, TXT: 16, AAAA: 28, HTTPS: 65, ANY: 255 } as const
export type TypeName = keyof typeof TYPES

/** Milliseconds to wait for an answer; the gateway answers within one. */
const GRACE_MS = 500

export interface DnsAnswer {
  readonly rcode: number
  readonly answers: number
}

/** Builds a query by hand (RFC 1035 section 4.1), because libraries reject the names that attackers use. */
export function buildQuery(labels: readonly Buffer[], type: TypeName): Buffer {
  const header = Buffer.from([Math.random() * 256, Math.random() * 256, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  const name = labels.flatMap((label) => [Buffer.from([label.length]), label])
  return Buffer.concat([header, ...name, Buffer.from([0, 0, TYPES[type], 0, 1])])
}

/** The labels of a name as text. */
export function labelsOf(name: string): Buffer[] {
  return name.split('.').map((label) => Buffer.from(label))
}

/** Sends one query over UDP. Rejects with `ETIMEOUT` without an answer. */
export function queryUdp(query: Buffer, { host, port }: Endpoint): Promise<DnsAnswer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const timer = setTimeout(() => {
      end(() => reject(new Error('no answer')))
    }, GRACE_MS)
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      socket.close()
      settle()
    }
    socket.once('error', (error) => {
      end(() => reject(error))
    })
    socket.once('message', (message) => {
      end(() => resolve(readResponse(message)))
    })
    // A connected socket gets ICMP errors; an unconnected one would only time out.
    socket.connect(port, host, () => {
      socket.send(query)
    })
  })
}

/** Sends one query over TCP (RFC 7766). */
export function queryTcp(query: Buffer, { host, port }: Endpoint): Promise<DnsAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    let received = Buffer.alloc(0)
    socket.setTimeout(GRACE_MS, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('close', () => {
      reject(new Error('closed without an answer'))
    })
    socket.once('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(query.length)
      socket.write(Buffer.concat([length, query]))
    })
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 14) return
      resolve(readResponse(received.subarray(2)))
      socket.destroy()
    })
  })
}

function readResponse(message: Buffer): DnsAnswer {
  if (message.length < 12) throw new Error('short answer')
  return { rcode: message.readUInt8(3) & 0x0f, answers: message.readUInt16BE(6) }
}

const RCODES: Readonly<Record<number, string>> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
}

export function describeResponse({ rcode, answers }: DnsAnswer): string {
  return `${RCODES[rcode] ?? `rcode ${rcode}`}, ${answers} answers`
}
