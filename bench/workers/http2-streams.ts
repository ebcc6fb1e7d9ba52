import { connect, type ClientHttp2Session } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { tellStarter } from './processes.js'

// Many streams that stay open: node http2-streams.js http|https PORT URL reads|waits. They come from four sandboxes, each with what the
// default limits let it have.

export interface OpenStreams {
  /** That are neither answered with an error nor closed. */
  readonly open: number
}

const SANDBOXES = 4
const CONNECTIONS = 2
const STREAMS = 125

/** Milliseconds after which everything that comes has come. */
const SETTLED_MS = 20_000

const [scheme = '', port = '', url = '', reads = ''] = process.argv.slice(2)
const { host, hostname, pathname } = new URL(url)
let failed = 0

function openSession(sandbox: number): Promise<ClientHttp2Session> {
  const socket = connectTcp({
    port: Number(port),
    host: '127.0.0.1',
    localAddress: `127.0.0.${String(10 + sandbox)}`,
  })
  const whole =
    scheme === 'http'
      ? socket
      : connectTls({ socket, servername: hostname, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  const session = connect(`${scheme}://${host}`, { createConnection: () => whole })
  session.on('error', (error: Error) => console.error('the client:', error.message))
  return new Promise((resolve) => session.once('remoteSettings', () => resolve(session)))
}

function openStream(session: ClientHttp2Session): void {
  const stream = session.request({ ':path': pathname })
  let isOpen = true
  const fail = () => {
    if (isOpen) failed += 1
    isOpen = false
  }
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) fail()
    if (reads === 'reads') stream.resume()
  })
  stream.on('error', fail).on('close', fail)
}

for (let sandbox = 0; sandbox < SANDBOXES; sandbox += 1)
  for (let count = 0; count < CONNECTIONS; count += 1) {
    const session = await openSession(sandbox)
    for (let streams = 0; streams < STREAMS; streams += 1) openStream(session)
  }
await new Promise((resolve) => setTimeout(resolve, SETTLED_MS))
const result: OpenStreams = { open: SANDBOXES * CONNECTIONS * STREAMS - failed }
tellStarter(result)
process.disconnect()
