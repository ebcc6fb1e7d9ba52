import type { UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'

/** The value of `Proxy-Authorization` (RFC 7617 section 2) that the operator's proxy is sent; null for none. */
export function proxyAuthorization({ credential }: UpstreamProxy): string | null {
  if (credential === null) return null
  const { user, password } = credential
  return `Basic ${Buffer.from(`${user.reveal()}:${password.reveal()}`).toString('base64')}`
}
