import { createSocket } from 'node:dgram'
import { connect } from 'node:net'

/** Milliseconds to wait for somebody who may not be there. */
const CONNECT_TIMEOUT_MS = 1_200

/**
 * What became of a connection: `connected`, an error code, or `silence`. A refusal (ECONNREFUSED) is an answer: packets
 * go there, and come back.
 */
export function tryTcp(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS })
    const end = (result: string) => {
      socket.destroy()
      resolve(result)
    }
    socket.once('connect', () => end('connected'))
    socket.once('timeout', () => end('silence'))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'error'))
  })
}

export const answered = (result: string) => result === 'connected' || result === 'ECONNREFUSED'

/** What a GET by hand gets: the head and the beginning of the body, or an error. */
export function get(host: string, port: number, target: string, named: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 5_000 })
    let text = ''
    socket.once('connect', () =>
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${named}\r\nConnection: close\r\n\r\n`),
    )
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.once('timeout', () => socket.destroy())
    socket.once('error', (error: NodeJS.ErrnoException) => (text ||= error.code ?? 'error'))
    socket.once('close', () => resolve(text))
  })
}

/** A query of type A over UDP (RFC 1035 section 4.1): the response code and the number of answers, or what went wrong. */
export function askName(server: string, name: string): Promise<string> {
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)])
  const query = Buffer.concat([
    Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...labels,
    Buffer.from([0, 0, 1, 0, 1]),
  ])
  return sendUdp(server, 53, query, (reply) => `${RCODES[(reply[3] ?? 0) & 15] ?? 'answer'} ${reply[7] ?? 0}`)
}

const RCODES: Readonly<Record<number, string>> = { 0: 'NOERROR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 5: 'REFUSED' }

export function sendUdp(
  host: string,
  port: number,
  message: Buffer,
  read: (reply: Buffer) => string,
): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const timer = setTimeout(() => end('silence'), CONNECT_TIMEOUT_MS)
    const end = (result: string) => {
      clearTimeout(timer)
      socket.close()
      resolve(result)
    }
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'error'))
    socket.once('message', (reply) => end(read(reply)))
    socket.once('connect', () => socket.send(message))
    socket.connect(port, host)
  })
}
