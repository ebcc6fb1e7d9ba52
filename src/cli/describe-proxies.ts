import type { Policy } from '#firewall/contracts/policy.js'
import type { UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'

/** How upstreams are reached through proxies, and what this means for the checks of addresses; no lines without one. */
export function describeProxies({ proxies }: Policy): readonly string[] {
  if (proxies === null || proxies === undefined) return []
  const { https, http, noProxy } = proxies
  const same = https !== null && http !== null && textOf(https) === textOf(http)
  const ways = same
    ? [`Upstreams are reached through the proxy ${textOf(https)}.`]
    : [`https upstreams are reached ${wayOf(https)}.`, `http upstreams are reached ${wayOf(http)}.`]
  return [
    ...ways,
    ...(noProxy.length > 0 ? [`  Without it: ${noProxy.join(', ')}`] : []),
    '  The proxy resolves their names: a name that leads to a private address only there is not refused by the gateway.',
  ]
}

function wayOf(proxy: UpstreamProxy | null): string {
  return proxy === null ? 'directly' : `through the proxy ${textOf(proxy)}`
}

/** Without the password, and without the user if that is a secret. */
function textOf({ scheme, host, port, credential }: UpstreamProxy): string {
  const address = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${String(port)}`
  return credential === null ? address : `${address} (with ${credential.password.name})`
}
