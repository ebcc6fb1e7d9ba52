import type { Scheme } from '../contracts/origin.js'

/** The port of a URL that names none (RFC 9110 section 4.2). */
export function defaultPort(scheme: Scheme): number {
  return scheme === 'https' ? 443 : 80
}

/** `host`, or `host:port` where the port is not the scheme's own. */
export function authorityText(scheme: Scheme, host: string, port: number): string {
  return port === defaultPort(scheme) ? host : `${host}:${String(port)}`
}
