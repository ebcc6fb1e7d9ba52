/**
 * Every reason for which the gateway answers a request itself, with the HTTP status, the sentence for the agent and the log, and what
 * it means for whoever reads the log, where that is not a denial.
 */
export const REASONS = {
  'unknown-sandbox': [403, 'The connection did not come from a registered sandbox.'],
  'sandbox-stopped': [403, 'An operator has stopped this sandbox. Nothing of it is let through.'],
  'agent-paused': [403, 'An operator has paused the network of this agent. It may be resumed later.'],
  'host-not-listed': [403, 'The policy does not list this host for this agent.'],
  'port-not-listed': [403, 'The policy lists this host, but not with this scheme and port.'],
  'no-rule': [403, 'No rule of this destination allows this method and path.'],
  'denied-by-rule': [403, 'A rule of this destination denies this method and path.'],
  'approval-required': [425, 'A person must approve this request before it is sent.'],
  'approval-denied': [403, 'A person was asked to approve this request, and denied it.'],
  'approval-limit': [
    429,
    'This sandbox has too many requests that wait for the approval of a person.',
    'limited',
  ],
  'approval-unreadable': [
    413,
    'A person must approve this request, and its body is too large or incomplete to be shown.',
    'limited',
  ],
  'ambiguous-path': [
    403,
    'The path is ambiguous: servers could interpret it in ways that the policy treats differently.',
  ],
  'head-too-complex': [
    431,
    'The request head has more headers, parameters, path segments or other parts than the gateway accepts.',
    'limited',
  ],
  'path-form': [400, 'The request target is not an absolute path of printable ASCII.'],
  'path-escape': [400, 'The path contains a malformed escape or an escaped control byte.'],
  'path-double-encoding': [400, 'The path is encoded twice.'],
  'path-dot-segment': [400, 'The path contains a dot segment.'],
  'path-backslash': [400, 'The path contains a backslash.'],
  'name-looks-encoded': [403, 'The host name looks like encoded data.'],
  'name-budget': [403, 'This sandbox has used up its budget of new names under this wildcard.', 'limited'],
  'tunnel-only': [403, 'This host is available only through a TLS tunnel.'],
  'host-mismatch': [421, 'The CONNECT target, TLS server name (SNI) and Host header do not match.'],
  'no-server-name': [403, 'The TLS client sent no server name (SNI).'],
  'tls-handshake': [400, 'The TLS handshake with the client failed or was incomplete.', 'failed'],
  'not-tls': [403, 'The policy expects TLS on this connection.'],
  'not-http': [
    403,
    'The connection carries neither TLS nor HTTP, and only these can be checked and passed on.',
  ],
  'bad-authority': [400, 'The authority is not a host name with an optional port.'],
  'bad-framing': [400, 'The framing of the request is ambiguous.'],
  'unknown-service': [404, 'This agent has no service with this name.'],
  'bad-target': [403, 'X-Sandbox-Target is not one of the targets of this service.'],
  'target-required': [400, 'This service has several targets. Select one with X-Sandbox-Target.'],
  'rate-limited': [429, 'This sandbox exceeds the rate limit for this service.', 'limited'],
  'quota-exceeded': [429, 'The quota for this service is used up. Try again later.', 'limited'],
  'placeholder-misplaced': [
    403,
    'The request contains a credential placeholder in a place where it is not allowed.',
  ],
  'credential-unavailable': [
    503,
    'The gateway could not obtain the credential for this service, so nothing was sent upstream.',
    'failed',
  ],
  'credential-unsupported': [403, 'The credential cannot be added to this type of request.'],
  'form-unreadable': [
    415,
    'The form is compressed, in a charset or of a structure in which the gateway cannot check its fields.',
  ],
  'graphql-unreadable': [
    400,
    'The GraphQL request is malformed, or servers could read it in different ways, so it cannot be checked.',
  ],
  'graphql-too-complex': [
    413,
    'The GraphQL request has more bytes, tokens, levels or operations than the gateway checks.',
    'limited',
  ],
  'too-large': [413, 'The request body is larger than the policy allows.', 'limited'],
  busy: [
    503,
    'This sandbox or the gateway has reached a connection or buffer limit. Try again shortly.',
    'limited',
  ],
  'address-refused': [403, 'The host resolves to an address that the policy does not allow.'],
  unresolvable: [502, 'The host name of the upstream could not be resolved.', 'failed'],
  'upstream-unreachable': [502, 'The upstream could not be reached.', 'failed'],
  'upstream-proxy': [
    502,
    'The proxy through which the gateway reaches this upstream refused or failed.',
    'failed',
  ],
  'upstream-tls': [502, 'The certificate of the upstream could not be verified.', 'failed'],
  'upgrade-refused': [502, 'The upstream refused the upgrade to a WebSocket.', 'failed'],
  'upstream-protocol': [502, 'The upstream sent an invalid response.', 'failed'],
  'upstream-encoding': [
    502,
    'The response has a content encoding or charset that cannot be scanned for secrets.',
    'failed',
  ],
  'upstream-timeout': [504, 'The upstream did not respond in time.', 'failed'],
  'audit-unavailable': [503, 'The audit log cannot be written, so all requests are blocked.', 'failed'],
  'policy-changed': [403, 'The policy has changed while this was open, and no longer lists this host.'],
  'shutting-down': [503, 'The gateway is shutting down.', 'failed'],
  internal: [500, 'Internal error in the gateway. Nothing was sent upstream after the error.', 'failed'],
} as const satisfies Record<string, readonly [status: number, text: string, outcome?: Outcome]>

/** The policy denied it; the policy allows it, and it failed; the policy allows it, and a limit was reached. */
export type Outcome = 'denied' | 'failed' | 'limited'

export type Reason = keyof typeof REASONS

export function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text)
}

export function statusOf(reason: Reason): number {
  return REASONS[reason][0]
}

export function textOf(reason: Reason): string {
  return REASONS[reason][1]
}

/** @param reason of a request, or one of those that only DNS queries have, which are denials */
export function outcomeOf(reason: string | null): Outcome {
  if (reason === null || !isReason(reason)) return 'denied'
  const [, , outcome = 'denied']: readonly [number, string, Outcome?] = REASONS[reason]
  return outcome
}
