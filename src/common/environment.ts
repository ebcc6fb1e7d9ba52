import { authorityText } from '#firewall/names/default-port.js'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import type { PlaceholderFormat, Service } from '#firewall/contracts/service.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'

/** Host name of the gateway inside the sandbox. */
export const GATEWAY_HOST = 'egress'
export const PORTS = { dns: 53, http: 80, https: 443, forward: 3128, reverse: 9199 } as const

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
const GATEWAY_CERTIFICATE = '/etc/egress/ca.pem'

/** Paths where systems keep their bundle of public CAs, for clients that read no variable. */
const BUNDLE_COPIES = [BUNDLE, '/etc/ssl/cert.pem', '/etc/pki/tls/certs/ca-bundle.crt']

/** Variables that tell common clients where to find the CA bundle. */
const BUNDLE_VARIABLES = [
  'SSL_CERT_FILE', // OpenSSL, Python, Ruby, Go
  'REQUESTS_CA_BUNDLE', // Python requests
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'AWS_CA_BUNDLE', // aws, boto3
  'PIP_CERT',
  'CARGO_HTTP_CAINFO',
  'DENO_CERT',
  'BUNDLE_SSL_CA_CERT',
  'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'NIX_SSL_CERT_FILE',
]

/** Files that every sandbox gets: the public CAs together with the gateway's own. */
export function certificateFiles(gatewayCertificate: string): Record<string, string> {
  const bundle = `${publicCas()}\n${gatewayCertificate}`
  return {
    ...Object.fromEntries(BUNDLE_COPIES.map((path) => [path, bundle])),
    [GATEWAY_CERTIFICATE]: gatewayCertificate,
  }
}

/** The host's bundle, which also has a company's own CAs; if there is none, the one built into Node. */
function publicCas(): string {
  const path = BUNDLE_COPIES.find((candidate) => existsSync(candidate))
  return path === undefined ? rootCertificates.join('\n') : readFileSync(path, 'utf8')
}

/** The environment of one sandbox: credential placeholders, the gateway's addresses, and the path of its certificate. */
export function sandboxEnvironment(
  policy: Policy,
  { agent, placeholders }: Pick<RegisteredSandbox, 'agent' | 'placeholders'>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const proxy = `http://${GATEWAY_HOST}:${String(PORTS.forward)}`
  // Loopback is the sandbox itself, and clients reach the base-URL listener directly, not through the proxy.
  const direct = `localhost,127.0.0.1,::1,${GATEWAY_HOST}`
  return {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    NO_PROXY: direct,
    no_proxy: direct,
    ...Object.fromEntries(BUNDLE_VARIABLES.map((name) => [name, BUNDLE])),
    NODE_EXTRA_CA_CERTS: GATEWAY_CERTIFICATE,
    ...credentialEnvironment(policy, agent, placeholders),
    EGRESS_AGENT: agent,
    ...own,
  }
}

function servicesOf(policy: Policy, agent: string): readonly Service[] {
  const usable = policy.agents.get(agent)?.services ?? null
  return [...policy.services.values()].filter(({ name }) => usable === null || usable.includes(name))
}

/** Placeholders for the secrets of all services that the agent may use, made for one sandbox. */
export function makePlaceholders(policy: Policy, agent: string): ReadonlyMap<string, string> {
  const formats = servicesOf(policy, agent).flatMap(({ placeholders }) => Object.entries(placeholders))
  return new Map(formats.map(([name, format]) => [name, makePlaceholder(format)]))
}

function credentialEnvironment(
  policy: Policy,
  agent: string,
  placeholders: ReadonlyMap<string, string>,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const service of servicesOf(policy, agent)) {
    for (const [name, template] of Object.entries(service.environment)) {
      environment[name] = fillIn(template, service, placeholders)
    }
  }
  return environment
}

function fillIn(template: string, service: Service, placeholders: ReadonlyMap<string, string>): string {
  return (
    template
      // Functions, because `$&` in a replacement string is special.
      .replaceAll('{url}', () => serviceUrl(service))
      .replaceAll('{base_url}', () => `http://${GATEWAY_HOST}:${String(PORTS.reverse)}/${service.name}`)
      .replace(/\{placeholder:([A-Za-z0-9_]+)\}/g, (whole, name: string) => placeholders.get(name) ?? whole)
  )
}

function serviceUrl({ targets: [first] }: Service): string {
  if (first === undefined) return ''
  const { scheme, host, port } = first.origin
  return `${scheme}://${authorityText(scheme, host, port)}${first.basePath}`
}

const ALPHABETS: Readonly<Record<PlaceholderFormat['alphabet'], string>> = {
  alphanumeric: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  'upper-alphanumeric': 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
  hex: '0123456789abcdef',
}

/** A random value in this format, different in every sandbox and valid nowhere. */
export function makePlaceholder({ prefix, length, alphabet }: PlaceholderFormat): string {
  const letters = ALPHABETS[alphabet]
  const count = Math.max(length - prefix.length, 0)
  return prefix + Array.from(randomBytes(count), (byte) => letters[byte % letters.length] ?? '').join('')
}
