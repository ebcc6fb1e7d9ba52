import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { createServer } from 'node:tls'
import { createInterface } from 'node:readline'
import type { CertificateAuthority } from '#proxy/tls/authority.js'
import { PYTHON, STAND_INS } from './sigv4-oracle.js'
import { listen } from './upstream.js'

/** What the stand-in for S3 says of one request. */
export interface S3Request {
  readonly method: string
  readonly target: string
  readonly status: number
  /** The code of its error, or null: then the signature was right. */
  readonly error: string | null
  readonly payload: string | null
}

export interface S3Keys {
  readonly access: string
  readonly secret: string
  readonly region: string
}

/** The strict S3 of `examples/stand-ins/s3.py`, behind TLS for any name. */
export async function startS3(authority: CertificateAuthority, { access, secret, region }: S3Keys) {
  const child = spawn(PYTHON, ['-B', `${STAND_INS}s3.py`, access, secret, region], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const requests: S3Request[] = []
  const lines = createInterface(child.stdout)
  const behind = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the stand-in for S3 did not start')))
    lines.once('line', (line) => {
      resolve(Number(line.split(' ')[1]))
      lines.on('line', (next) => requests.push(JSON.parse(next) as S3Request))
    })
  })
  const server = createServer(
    {
      SNICallback: (name, done) => {
        authority.contextFor(name, Date.now()).then((context) => done(null, context), done)
      },
    },
    (socket) => {
      const plain = connect(behind, '127.0.0.1')
      for (const end of [socket, plain]) end.on('error', () => undefined)
      socket.pipe(plain).pipe(socket)
      socket.on('close', () => plain.destroy())
      plain.on('close', () => socket.destroy())
    },
  )
  server.on('tlsClientError', () => undefined)
  const port = await listen(server)
  return {
    port,
    requests,
    close: () => {
      child.kill()
      server.close()
    },
  }
}
