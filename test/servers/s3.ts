import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { createServer, type TlsOptions } from 'node:tls'
import { fileURLToPath } from 'node:url'

/** Debian's Python, which has botocore, not another one in the PATH. */
export const PYTHON = '/usr/bin/python3'

/** The folder of these sources, because not all of them are compiled. */
export const SERVERS = fileURLToPath(new URL('../../../test/servers/', import.meta.url))

/** Whether Python has a package. */
export function hasPackage(name: string): boolean {
  return spawnSync(PYTHON, ['-c', `import ${name}`]).status === 0
}

/** Report of the S3 mock server about one request. */
export interface S3Request {
  readonly method: string
  readonly host: string
  readonly target: string
  readonly status: number
  /** The error code; null if the signature was valid. */
  readonly error: string | null
  readonly payload: string | null
}

export interface S3Keys {
  readonly access: string
  readonly secret: string
  readonly region: string
}

export interface S3 {
  readonly port: number
  readonly requests: readonly S3Request[]
  close(): void
}

/** The strict S3 of `s3.py`, behind TLS on a loopback port. */
export async function startS3(tls: TlsOptions, { access, secret, region }: S3Keys): Promise<S3> {
  const child = spawn(PYTHON, ['-B', `${SERVERS}s3.py`, access, secret, region], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const requests: S3Request[] = []
  const lines = createInterface(child.stdout)
  const behind = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error('The S3 mock server did not start')))
    lines.once('line', (line) => {
      resolve(Number(line.split(' ')[1]))
      lines.on('line', (next) => requests.push(JSON.parse(next) as S3Request))
    })
  })
  const server = createServer(tls, (socket) => {
    const plain = connect(behind, '127.0.0.1')
    for (const end of [socket, plain]) end.on('error', () => undefined)
    socket.pipe(plain).pipe(socket)
    socket.on('close', () => plain.destroy())
    plain.on('close', () => socket.destroy())
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close: () => {
      child.kill()
      server.close()
    },
  }
}
