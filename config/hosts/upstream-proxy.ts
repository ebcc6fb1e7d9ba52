import { isIP } from '#firewall/addresses/ip-version.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { CredentialField } from '#firewall/contracts/credential.js'
import type { PolicySecret } from '#firewall/contracts/policy.js'
import type { UpstreamProxies, UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'
import { parseRange } from '#firewall/addresses/choose-proxy.js'
import { parseHostname } from '#firewall/names/hostname.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { PolicyFile } from '../schema/policy.js'
import type { ResolvedField } from '../secrets/credential-inputs.js'
import { MIN_SECRET } from '../secrets/secret-values.js'
import { parseTemplate, renderTemplate } from '../secrets/template.js'
import type { LoadContext } from '../services/context.js'

/** The id of the proxy's credential. */
const OWNER = 'upstream.proxy'

type Environment = Readonly<Record<string, string | undefined>>

const FIELDS = {
  user: { secret: false, describe: 'the user of the proxy' },
  password: { secret: true, describe: 'the password of the proxy' },
} as const satisfies Record<string, CredentialField>

const FORM = 'Write `http://proxy.example:3128` or `http://user:${PASSWORD}@proxy.example:3128`'

export interface ReadProxies {
  readonly proxies: UpstreamProxies | null
  /** Names of the secrets that the proxy needs. */
  readonly names: readonly string[]
  /** What responses must not bring of the gateway's own variables. */
  readonly secrets: readonly PolicySecret[]
}

/** Reads `upstream.proxy` and `upstream.no_proxy`. */
export function readProxies(
  file: PolicyFile['upstream'],
  env: Environment,
  context: LoadContext,
): ReadProxies {
  const { proxy: text, no_proxy: noProxy = [] } = file ?? {}
  const path: Path = ['upstream', 'proxy']
  if (text === undefined) {
    if (noProxy.length > 0)
      context.issues.add(['upstream', 'no_proxy'], {
        problem: '`no_proxy` has no effect without `proxy`',
        fix: 'Remove it, or set `upstream.proxy`',
      })
    return { proxies: null, names: [], secrets: [] }
  }
  checkNoProxy(noProxy, context.issues)
  if (text === 'environment') {
    const proxies = fromEnvironment(env, noProxy, path, context)
    const passwords = [proxies?.https?.credential?.password, proxies?.http?.credential?.password]
    const secrets = passwords.flatMap((secret) =>
      secret === undefined ? [] : [{ owner: OWNER, secret, caseless: false }],
    )
    return { proxies, names: [], secrets }
  }
  const names: string[] = []
  const proxy = parseProxy(text, path, names, context)
  return { proxies: proxy === null ? null : { https: proxy, http: proxy, noProxy }, names, secrets: [] }
}

/** Proxy variables that are set; for messages, without their values. */
export function proxyVariables(env: Environment): readonly string[] {
  return ['HTTPS_PROXY', 'https_proxy', 'http_proxy', 'HTTP_PROXY', 'ALL_PROXY', 'all_proxy'].filter(
    (name) => (env[name] ?? '') !== '',
  )
}

/** What is said where proxy variables are set that the policy does not use; null if there is nothing to say. */
export function ignoredProxies(env: Environment, proxies: UpstreamProxies | null | undefined): string | null {
  const names = proxyVariables(env)
  if (names.length === 0 || (proxies ?? null) !== null) return null
  return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} ignored: upstreams are dialled directly. To use the proxy, add \`upstream: { proxy: environment }\` to the policy`
}

/** As curl and Go read them: lower case first, `ALL_PROXY` for what has none of its own. */
function fromEnvironment(
  env: Environment,
  noProxy: readonly string[],
  path: Path,
  context: LoadContext,
): UpstreamProxies | null {
  const read = (names: readonly string[]): UpstreamProxy | null => {
    const name = names.find((one) => isSet(env, one))
    return name === undefined ? null : parseEnvironmentProxy(name, env[name] ?? '', path, context)
  }
  const [https, http] = [read(FOR_HTTPS), read(FOR_HTTP)]
  return https === null && http === null ? null : { https, http, noProxy: variablesOf(env, noProxy).noProxy }
}

const FOR_HTTPS = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']
const FOR_HTTP = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY']

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? '') !== ''
}

/** The texts of the variables, and all upstreams to reach without the proxy. */
export function variablesOf(
  env: Environment,
  noProxy: readonly string[],
): { readonly https: string | null; readonly http: string | null; readonly noProxy: readonly string[] } {
  const text = (names: readonly string[]) => env[names.find((one) => isSet(env, one)) ?? ''] ?? null
  const listed = (env['no_proxy'] ?? env['NO_PROXY'] ?? '').split(/[\s,]+/).filter((entry) => entry !== '')
  return { https: text(FOR_HTTPS), http: text(FOR_HTTP), noProxy: [...noProxy, ...listed] }
}

export interface ProxyUrl {
  readonly scheme: 'http' | 'https'
  readonly user: string | null
  readonly password: string | null
  readonly host: string
  readonly port: number
}

/** By hand, since a password may be a reference or hold any character. Null for anything but a proxy's URL. */
export function parseProxyUrl(text: string): ProxyUrl | null {
  const [, scheme = 'http', login, authority = ''] =
    /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:(.*)@)?([^@/?#]*)\/?$/is.exec(text) ?? []
  const [, six, name = '', digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(authority) ?? []
  const lower = scheme.toLowerCase()
  if (lower !== 'http' && lower !== 'https') return null
  const host =
    six === undefined ? (isIP(name) === 4 ? name : parseProxyName(name)) : isIP(six) === 6 ? six : null
  const port = digits === undefined ? (lower === 'http' ? 3128 : 443) : Number(digits)
  if (host === null || port < 1 || port > 65_535) return null
  const at = login?.indexOf(':') ?? -1
  const user = login === undefined ? null : at < 0 ? login : login.slice(0, at)
  return {
    scheme: lower,
    user,
    password: login === undefined || at < 0 ? null : login.slice(at + 1),
    host,
    port,
  }
}

/** A host name, also one without a dot: `proxy`. */
function parseProxyName(name: string): string | null {
  return (
    parseHostname(name) ?? (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(name) ? name.toLowerCase() : null)
  )
}

function parseProxy(text: string, path: Path, names: string[], context: LoadContext): UpstreamProxy | null {
  const { issues, secrets } = context
  const url = parseProxyUrl(text)
  if (url === null) {
    issues.add(path, { problem: 'Invalid URL of the proxy', fix: FORM })
    return null
  }
  const { scheme, host, port, user, password } = url
  if (user === null) return { scheme, host, port, credential: null }
  const resolved: ResolvedField[] = []
  const resolve = (key: keyof typeof FIELDS, part: string): Secret | null => {
    const field = FIELDS[key]
    const template = parseTemplate(field, part.includes('${') ? part : decode(part))
    if (isDiagnostic(template)) {
      issues.add(path, template)
      return null
    }
    names.push(...template.names)
    const rendered = renderTemplate(template, field, secrets)
    if (rendered !== null && isDiagnostic(rendered)) {
      issues.add(path, rendered)
      return null
    }
    const secret = new Secret(
      template.names.join('+') || 'plain text',
      rendered?.text ?? '',
      rendered?.sensitive,
    )
    resolved.push({ key, field, template, secret })
    return secret
  }
  if (password === null) {
    issues.add(path, { problem: 'The URL of the proxy has a user and no password', fix: FORM })
    return null
  }
  const credential = { user: resolve('user', user), password: resolve('password', password) }
  if (credential.user === null || credential.password === null) return null
  context.resolved({
    id: OWNER,
    kind: { name: 'proxy', fields: FIELDS, check: () => null },
    fields: resolved,
  })
  return { scheme, host, port, credential: { user: credential.user, password: credential.password } }
}

function parseEnvironmentProxy(
  name: string,
  text: string,
  path: Path,
  context: LoadContext,
): UpstreamProxy | null {
  const url = parseProxyUrl(text)
  if (url === null) {
    context.issues.add(path, {
      problem: `${name} is not the URL of a proxy that the gateway can use`,
      fix: `Set ${name} to \`http://proxy.example:3128\`; SOCKS is not supported`,
    })
    return null
  }
  const { scheme, host, port, user, password } = url
  if (user === null) return { scheme, host, port, credential: null }
  const value = decode(password ?? '')
  // As it is written as well: programs print the variable.
  const sensitive = [...new Set([value, password ?? ''])].filter(({ length }) => length >= MIN_SECRET)
  const credential = {
    user: new Secret(name, decode(user), []),
    password: new Secret(name, value, sensitive),
  }
  return { scheme, host, port, credential }
}

function checkNoProxy(entries: readonly string[], issues: IssueList): void {
  for (const [index, entry] of entries.entries()) {
    const name = entry.replace(/^\*?\./, '').replace(/:\d{1,5}$/, '')
    if (entry === '*' || parseRange(entry) !== null || isIP(name.replace(/^\[|\]$/g, '')) !== 0) continue
    if (parseProxyName(name.replace(/\.$/, '')) !== null) continue
    issues.add(['upstream', 'no_proxy', index], {
      problem: `Invalid entry ${quote(entry)}`,
      fix: 'Write a name such as `corp.example` (with all names below it), `host:8443`, a range such as `10.0.0.0/8`, or `*`',
    })
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
