import { proxyAuthorization } from '../credentials/proxy-authorization.js'
import type { ResolvedUpstream } from './upstream.js'

/**
 * Two requests of a sandbox may share a connection only where all of this is the same: what was checked, how it was reached,
 * and as whom.
 */
export function connectionKey(upstream: ResolvedUpstream): string {
  const { owner, origin, addresses, port, ca, via, clientCertificate: shown, knowsHttp2 } = upstream
  const { scheme, host, port: asked } = origin
  const parts: unknown[] = [owner.destination, scheme, host, asked, addresses, port, ca, knowsHttp2]
  // A connection that was opened with a certificate, or through a proxy as some user, is that client's alone.
  if (shown !== null) parts.push('certificate', shown.certificate, shown.key.version)
  if (via !== null) {
    const { scheme, host, port: proxyPort } = via.proxy
    parts.push('proxy', scheme, host, proxyPort, via.addresses, via.target, proxyAuthorization(via.proxy))
  }
  return JSON.stringify(parts)
}
