import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Credential } from '#firewall/contracts/credential.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { encodedForms } from '#proxy/redaction/encoded-forms.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { startGateway } from '#test/fixtures/gateway.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { startUpstream } from '#test/fixtures/upstream.js'
import { tellStarter } from './processes.js'

// The servers of `bench:redact`: node redact-servers.js upstream | gateway PORT CA SECRETS

const CHUNK = 65_536
const EVENTS_EVERY_MS = 5

/** Typical response bodies; each is sent repeatedly. */
const BODIES: Readonly<Record<string, Buffer>> = {
  json: repeat((i) =>
    JSON.stringify({
      id: i,
      self: `https://jira.example.com/rest/api/2/issue/${String(i)}`,
      summary: `Build ${String(i)} "fails" on main`,
      description: `First line of issue ${String(i)}.\nSecond line, a bit longer than the first, with a tab\there.\n`,
    }),
  ),
  log: repeat(
    (i) =>
      `2026-01-01T00:00:00.000Z INFO  worker-${String(i % 8)} finished job ${String(i)} in ${String(i % 97)} ms\n`,
  ),
  binary: randomBytes(4 * 2 ** 20),
}

function repeat(line: (i: number) => string): Buffer {
  return Buffer.from(Array.from({ length: 20_000 }, (_, i) => line(i)).join(''))
}

/** `/body/<kind>/<bytes>`, `/events/<count>`, and `/said/<text>`, which says it again and again. */
async function serveUpstream(): Promise<{ port: number; ca: string }> {
  const authority = await CertificateAuthority.create(Date.now())
  const { port } = await startUpstream(authority, (request, response) => {
    const [, what, kind = '', bytes] = (request.url ?? '').split('/')
    if (what === 'body') {
      response.writeHead(200, { 'content-length': bytes })
      pour(response, BODIES[kind] ?? Buffer.alloc(CHUNK), Number(bytes))
    } else if (what === 'said') {
      response.writeHead(200, { 'content-length': CHUNK })
      response.end(Buffer.alloc(CHUNK, `${kind} `))
    } else {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      sendEvents(response, Number(kind))
    }
  })
  return { port, ca: authority.pem }
}

function pour(response: ServerResponse, body: Buffer, bytes: number): void {
  let left = bytes
  const write = () => {
    while (left > 0) {
      const at = (bytes - left) % (body.length - CHUNK)
      const piece = body.subarray(at, at + Math.min(CHUNK, left))
      left -= piece.length
      if (!response.write(piece)) {
        response.once('drain', write)
        return
      }
    }
    response.end()
  }
  write()
}

/** Each event has its time of sending: all processes of a machine share this clock. */
function sendEvents(response: ServerResponse, count: number): void {
  const send = () => `data: {"type":"delta","text":"a word","at":"${String(process.hrtime.bigint())}"}\n\n`
  response.write(send())
  let left = count - 1
  const timer = setInterval(() => {
    if (left-- > 0) response.write(send())
    else {
      clearInterval(timer)
      response.end()
    }
  }, EVENTS_EVERY_MS)
}

/** One gateway per number of secrets, because it searches for all secrets of an agent together. Returns their ports. */
async function serveGateways(port: string, ca: string, counts: string): Promise<readonly number[]> {
  const url = 'https://upstream.example'
  const gateways = counts.split(',').map((count) =>
    startGateway(
      testPolicy({
        destinations: [
          destination(url, ['allow * /**'], {
            id: 'services.bench',
            service: 'bench',
            ca: Buffer.from(ca, 'base64').toString(),
          }),
        ],
        services: [
          service(
            'bench',
            url,
            count === '0' ? null : count === 'timing' ? TIMED : credentialWith(Number(count)),
          ),
        ],
        hosts: { 'upstream.example': { address: '127.0.0.1', port: Number(port) } },
      }),
    ),
  )
  return (await Promise.all(gateways)).map(({ ports }) => ports.reverse)
}

/** The one of `bench:redact-timing`. */
const TIMED = bearer.bind('bench/bearer', {
  token: new Secret('TOKEN', 'ghp_Zq7aB3xY9kLmNoPqRsTuVwXyZ0123456789a'),
})

function credentialWith(count: number): Credential {
  const secrets = Array.from({ length: count }, () => `ghp_${randomBytes(27).toString('base64url')}`)
  const secretPatterns = SecretPatterns.union(
    secrets.map((secret, i) => [`s${String(i)}/bearer`, new SecretPatterns(encodedForms(secret))]),
  )
  const credential = bearer.bind('bench/bearer', { token: new Secret('TOKEN', secrets[0] ?? '') })
  return { ...credential, secretPatterns: () => secretPatterns }
}

const [role = '', ...rest] = process.argv.slice(2)
tellStarter(
  role === 'upstream' ? await serveUpstream() : await serveGateways(...(rest as [string, string, string])),
)
