import type { Socket } from 'node:net'
import { chooseProxy } from '#firewall/addresses/choose-proxy.js'
import type { UpstreamProxies, UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { PolicyFile } from '../schema/policy.js'
import type { SourceTools, StoreWay } from '../secrets/sources/source.js'
import { parseProxyUrl, variablesOf, type ProxyUrl } from './upstream-proxy.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Connects to a proxy and asks it for a connection. Rejects with a message that holds nothing that was sent. */
export type ConnectByProxy = (
  proxy: UpstreamProxy,
  target: { readonly host: string; readonly port: number },
  signal: AbortSignal,
) => Promise<Socket>

/**
 * How a secret store is reached: as upstreams are, by `upstream.proxy` and `upstream.no_proxy`. It is asked before there is a policy,
 * so a password of the proxy is one more secret that the source needs. An invalid proxy is reported where it is read for upstreams.
 */
export function storeWay(
  file: PolicyFile['upstream'],
  env: Environment,
  connect: ConnectByProxy | undefined,
  url: URL,
): StoreWay {
  const { proxy: text } = file ?? {}
  const { https, http, noProxy } = variablesOf(text === 'environment' ? env : {}, file?.no_proxy ?? [])
  const own = text === undefined || text === 'environment' ? null : text
  const named = new Map<UpstreamProxy, ProxyUrl>()
  const known = (written: string | null): UpstreamProxy | null => {
    const parsed = written === null ? null : parseProxyUrl(written)
    if (parsed === null) return null
    const proxy = { scheme: parsed.scheme, host: parsed.host, port: parsed.port, credential: null }
    named.set(proxy, parsed)
    return proxy
  }
  const proxies: UpstreamProxies = { https: known(own ?? https), http: known(own ?? http), noProxy }
  const scheme = url.protocol === 'http:' ? 'http' : 'https'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? (scheme === 'http' ? 80 : 443) : Number(url.port)
  const proxy = chooseProxy(proxies, { scheme, host, port }, null)
  const parsed = proxy === null ? undefined : named.get(proxy)
  if (proxy === null || parsed === undefined) return { needs: [], connect: null }
  const references =
    own === null ? [] : [...`${parsed.user ?? ''}:${parsed.password ?? ''}`.matchAll(REFERENCE)]
  return {
    needs: [...new Set(references.map(([, name = '']) => name))].map((name) => ({ name, key: 'proxy' })),
    connect(valueOf, signal) {
      if (connect === undefined) throw new Error('nothing connects to proxies here')
      return connect(withLogin(proxy, parsed, own !== null, valueOf), { host, port }, signal)
    },
  }
}

const REFERENCE = /\$\{([A-Z_][A-Z0-9_]*)\}/g

function withLogin(
  proxy: UpstreamProxy,
  { user, password }: ProxyUrl,
  hasReferences: boolean,
  valueOf: SourceTools['valueOf'],
): UpstreamProxy {
  if (user === null) return proxy
  const secretOf = (text: string) => {
    const isReference = hasReferences && text.includes('${')
    const value = isReference ? text.replace(REFERENCE, (_, name: string) => valueOf(name)) : decode(text)
    return new Secret('upstream.proxy', value, [])
  }
  return { ...proxy, credential: { user: secretOf(user), password: secretOf(password ?? '') } }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
