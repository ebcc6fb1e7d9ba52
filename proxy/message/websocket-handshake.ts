import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Headers } from '#firewall/contracts/credential.js'

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** 16 bytes in base64, in the one spelling that decodes and encodes again to itself. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/

/** True if a client asks for a WebSocket exactly as RFC 6455 section 4.1 says; anything else is a request without an upgrade. */
export function asksForWebSocket({ method, httpVersion, headers }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    tokens(headers.connection).includes('upgrade') &&
    headers['sec-websocket-version'] === '13' &&
    KEY.test(headers['sec-websocket-key'] ?? '') &&
    headers['transfer-encoding'] === undefined &&
    Number(headers['content-length'] ?? 0) === 0
  )
}

/** A key that no client can know. Threat: a server that sends back headers of the client's choice could prove nothing with it. */
export function newKey(): string {
  return randomBytes(16).toString('base64')
}

export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}

/**
 * Why a 101 does not begin a WebSocket (RFC 6455 section 4.1, items 2 to 6 of the client's checks); null if it does.
 *
 * @param asked headers that went upstream
 */
export function handshakeError(
  asked: Readonly<Headers>,
  answered: Readonly<Record<string, string | string[] | undefined>>,
): string | null {
  if (String(answered['upgrade']).toLowerCase() !== 'websocket') return 'the 101 is not for a WebSocket'
  if (!tokens(answered['connection']).includes('upgrade')) return 'the 101 has no `Connection: Upgrade`'
  if (answered['sec-websocket-accept'] !== acceptFor(String(asked['sec-websocket-key'])))
    return 'the 101 does not prove that the upstream speaks WebSocket'
  if (answered['sec-websocket-extensions'] !== undefined)
    return 'the 101 has an extension that was not offered'
  const protocol = answered['sec-websocket-protocol']
  const offered = [asked['sec-websocket-protocol'] ?? []].flat().flatMap((line) => line.split(','))
  return protocol === undefined || offered.some((one) => one.trim() === protocol)
    ? null
    : 'the 101 has a subprotocol that was not offered'
}

function tokens(value: string | string[] | undefined): readonly string[] {
  return [value ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((token) => token.trim().toLowerCase())
}
