/** Every reason for which the gateway says no: the HTTP status of the denial, and what the agent and the log are told. */
export const REASONS = {
  'unknown-sandbox': [403, 'The connection did not come from a sandbox that this gateway knows.'],
  'host-not-listed': [403, 'The policy does not list this host for this agent.'],
  'port-not-listed': [403, 'The policy lists this host, but not with this scheme and port.'],
  'no-rule': [403, 'No rule of this destination allows this method and path.'],
  'denied-by-rule': [403, 'A rule of this destination denies this method and path.'],
  'ambiguous-path': [
    403,
    'The path reads differently to different servers, and the readings get different verdicts.',
  ],
  'path-form': [400, 'The request target is not an absolute path of printable ASCII.'],
  'path-escape': [400, 'The path holds a malformed escape or an escaped control byte.'],
  'path-double-encoding': [400, 'The path is encoded twice.'],
  'path-dot-segment': [400, 'The path holds a dot segment.'],
  'path-backslash': [400, 'The path holds a backslash.'],
  'name-looks-encoded': [
    403,
    'The name looks like encoded data, which a wildcard would carry to somebody else.',
  ],
  'name-budget': [403, 'This sandbox has used up its budget of new names under this wildcard.'],
  'tunnel-only': [403, 'The policy passes this host through as a TLS tunnel; a plain request cannot use it.'],
  'host-mismatch': [403, 'CONNECT target, TLS server name and Host do not name the same host and port.'],
  'no-server-name': [403, 'The TLS client sent no server name (SNI), so there is nothing to check.'],
  'not-tls': [403, 'The policy expects TLS on this connection.'],
  'bad-authority': [400, 'The authority is not a host name with an optional port.'],
  'bad-framing': [400, 'The request can be read in more than one way.'],
  'unknown-service': [404, 'No service of this name is open to this agent.'],
  'bad-target': [403, 'X-Sandbox-Target is not one of the targets of this service.'],
  'target-required': [400, 'This service has several targets: name one in X-Sandbox-Target.'],
  'rate-limited': [429, 'This sandbox sends requests to this service faster than the policy allows.'],
  'quota-exceeded': [429, 'This sandbox has used up what the policy lets it ask of this service for now.'],
  'placeholder-misplaced': [
    403,
    'The request carries the placeholder of a credential to where that credential does not belong.',
  ],
  'credential-unavailable': [
    503,
    'The gateway could not get the credential of this service, so nothing was sent upstream.',
  ],
  'credential-unsupported': [
    403,
    'The gateway cannot put the credential of this service into a request of this form.',
  ],
  'too-large': [413, 'The request body is larger than the policy allows.'],
  busy: [503, 'The gateway holds as much for this sandbox, or for all, as it may. Try again in a moment.'],
  'address-refused': [403, 'The host resolves to an address that this rule may not reach.'],
  unresolvable: [502, 'The name of the upstream could not be resolved.'],
  'upstream-unreachable': [502, 'The upstream could not be reached.'],
  'upstream-tls': [502, 'The certificate of the upstream could not be verified.'],
  'upgrade-refused': [502, 'The upstream refused the upgrade to a WebSocket.'],
  'upstream-protocol': [502, 'The upstream answered with something that is not a response.'],
  'upstream-encoding': [
    502,
    'The upstream compressed a response in a way that cannot be undone, or wrote it in a charset that cannot be scanned.',
  ],
  'upstream-timeout': [504, 'The upstream took too long.'],
  'audit-unavailable': [503, 'The audit log cannot be written, so nothing may pass.'],
  'policy-changed': [
    403,
    'The policy was changed while this was open, and does not list this host any more.',
  ],
  'shutting-down': [503, 'The gateway is shutting down.'],
  internal: [500, 'The gateway failed on this request. Nothing was sent upstream after the failure.'],
} as const satisfies Record<string, readonly [status: number, text: string]>

export type Reason = keyof typeof REASONS

export function statusOf(reason: Reason): number {
  return REASONS[reason][0]
}

export function textOf(reason: Reason): string {
  return REASONS[reason][1]
}
