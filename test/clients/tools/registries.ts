import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import { githubApi } from '#test/fixtures/github.js'
import { checkCredential } from '../../servers/credential-check.js'
import type { Identity } from '../../servers/certificate-authority.js'
import { sendJson } from '../../servers/tls-server.js'
import { serveGit } from '../git-backend.js'
import { kubernetes } from './kubernetes.js'

/** A request as it arrived. */
export interface Arrived {
  readonly host: string
  readonly method: string
  readonly path: string
  /** null: the host asks for none */
  readonly credential: 'real' | 'wrong' | 'missing' | null
}

/** What the servers need to know. */
export interface RegistriesOrder {
  readonly identity: Identity
  /** as make_packages.py writes it */
  readonly directory: string
  readonly token: string
  readonly host: string
  /** for TLS and for plain HTTP; 0: a free one */
  readonly ports: readonly [tls: number, plain: number]
}

export interface Registries {
  readonly ports: readonly [tls: number, plain: number]
  close(): Promise<void>
}

export const GITHUB_HOSTS = ['github.com', 'api.github.com'] as const

/** Hosts that want the real token as a bearer. */
export const TOKEN_HOSTS = ['api.example', 'kube.example'] as const

/** Hosts of public packages. */
export const PACKAGE_HOSTS = [
  'pypi.org',
  'files.pythonhosted.org',
  'registry.npmjs.org',
  'registry.yarnpkg.com',
  'index.crates.io',
  'static.crates.io',
  'proxy.golang.org',
  'repo.maven.apache.org',
  'rubygems.org',
  'index.rubygems.org',
  'repo.packagist.org',
  'deb.debian.org',
  'github-cloud.githubusercontent.com',
] as const

/** In no policy, and it serves all that the others serve. */
export const FOREIGN_HOST = 'mirror.example'

export const ALL_HOSTS = [...GITHUB_HOSTS, ...TOKEN_HOSTS, ...PACKAGE_HOSTS, FOREIGN_HOST] as const

/** Package registries and APIs, on one port of TLS and one without. Each request is told. */
export async function serveRegistries(
  { identity, directory, token, host: address, ports }: RegistriesOrder,
  tell: (arrived: Arrived) => void,
): Promise<Registries> {
  const github = githubApi(token)
  const listener: RequestListener = (request, response) => {
    const host = String(request.headers.host).split(':')[0] ?? ''
    const [path = ''] = (request.url ?? '').split('?')
    const real = realCredential(host, token)
    const credential = real === null ? null : checkCredential(request, 'authorization', real)
    tell({ host, method: request.method ?? '', path, credential })
    if (credential !== null && credential !== 'real') {
      // As GitHub answers git: it asks for a password.
      response.setHeader('www-authenticate', 'Basic realm="GitHub"')
      sendJson(response, 401, { message: 'not the real credential' })
    } else if (host === 'api.github.com') github.listener(request, response)
    else if (host === 'kube.example') kubernetes(request, response, path)
    else if (path.endsWith('/info/lfs/objects/batch')) largeFiles(request, response)
    else if (/^\/acme\/left(\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/.test(path)) {
      // As GitHub does it, with and without the ending.
      request.url = request.url?.replace(/^\/acme\/left(\.git)?/, '/acme/left.git')
      readAll(request)
        .then((body) => serveGit(join(directory, 'github.com'), 'x-access-token', request, response, body))
        .catch(() => response.destroy())
    } else serveFile(directory, host, path, response)
  }
  const servers = [
    createTlsServer({ ...identity, ALPNProtocols: ['http/1.1'] }, listener),
    createServer(listener),
  ] as const
  const open = servers.map(async (server, index) => {
    server.listen(ports[index], address)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  })
  const [tls = 0, plain = 0] = await Promise.all(open)
  return {
    ports: [tls, plain],
    async close() {
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
        await once(server, 'close')
      }
    },
  }
}

function realCredential(host: string, token: string): string | null {
  if (GITHUB_HOSTS.some((one) => one === host))
    return `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`
  return TOKEN_HOSTS.some((one) => one === host) ? `Bearer ${token}` : null
}

function largeFiles(request: Parameters<RequestListener>[0], response: Parameters<RequestListener>[1]): void {
  readAll(request)
    .then((body) => {
      const { objects } = JSON.parse(body.toString()) as { objects: { oid: string; size: number }[] }
      response.setHeader('content-type', 'application/vnd.git-lfs+json')
      const actions = { download: { href: 'https://github-cloud.githubusercontent.com/alambic/media/left' } }
      response.end(
        JSON.stringify({ transfer: 'basic', objects: objects.map((one) => ({ ...one, actions })) }),
      )
    })
    .catch(() => response.destroy())
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html',
  json: 'application/json',
  zip: 'application/zip',
}

function serveFile(
  directory: string,
  host: string,
  path: string,
  response: Parameters<RequestListener>[1],
): void {
  const hosts = host === FOREIGN_HOST ? ALL_HOSTS : [host]
  for (const one of hosts) {
    let file = join(directory, one, normalize(decodeURIComponent(path)))
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
      const wantsJson = String(response.req.headers.accept).includes('application/vnd.pypi.simple.v1+json')
      const inJson = join(file, 'index.json')
      file = wantsJson && existsSync(inJson) ? inJson : join(file, 'index.html')
    }
    const found = statSync(file, { throwIfNoEntry: false })
    if (found === undefined) continue
    const content = readFileSync(file)
    const isJson = content[0] === 0x7b
    response.setHeader(
      'content-type',
      isJson
        ? path.startsWith('/simple/')
          ? 'application/vnd.pypi.simple.v1+json'
          : 'application/json'
        : (TYPES[file.split('.').at(-1) ?? ''] ?? 'application/octet-stream'),
    )
    response.setHeader('content-length', content.length)
    response.end(response.req.method === 'HEAD' ? undefined : content)
    return
  }
  sendJson(response, 404, { message: 'not here' })
}

async function readAll(request: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
