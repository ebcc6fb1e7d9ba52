import type { Destination } from '#firewall/contracts/policy.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import { checkName } from '#firewall/policy-engine/name-policy.js'
import type { ProxySnapshot } from '../context/snapshot.js'
import { deny, type Denial } from '../contracts/denial.js'

/** Where a connection wants to go, as far as it says before its first request. */
export interface NameInquiry {
  readonly snapshot: Pick<ProxySnapshot, 'namePolicy'>
  readonly sandbox: RegisteredSandbox
  readonly host: string
  readonly port: number
}

/**
 * Whether the name may leave at all: listed, no data in it, within budget.
 *
 * @param now milliseconds since 1970
 * @param charge false to ask without paying
 */
export function evaluateName(
  { snapshot, sandbox, host }: NameInquiry,
  now: number,
  charge: boolean,
): Denial | null {
  const { verdict } = checkName(snapshot.namePolicy, sandbox, host, now, charge)
  return verdict.allowed ? null : deny(verdict.reason, { rule: verdict.rule })
}

/** Where host, scheme and port lead. Pure. */
export function evaluateAuthority(
  { snapshot, sandbox, host, port }: NameInquiry,
  scheme: Scheme,
): Destination | Denial {
  const { agent } = sandbox
  const verdict = snapshot.namePolicy.policyEngine.evaluateAuthority({ agent, scheme, host, port })
  return verdict.allowed ? verdict.destinations[0] : deny(verdict.reason, { rule: verdict.rule })
}

/** For a CONNECT, behind which either scheme may follow: one of them must be listed. Pure. */
export function evaluateEitherScheme(inquiry: NameInquiry): Denial | null {
  const https = evaluateAuthority(inquiry, 'https')
  if (!('reason' in https)) return null
  return 'reason' in evaluateAuthority(inquiry, 'http') ? https : null
}

/**
 * What the policy says to a CONNECT, or to the server name of a TLS connection. Pure but for the budget, and that only with
 * `charge`: whoever wants to know what would happen asks this with `charge` false.
 *
 * @param scheme null where it is not known yet
 */
export function decideName(
  inquiry: NameInquiry,
  scheme: Scheme | null,
  now: number,
  charge: boolean,
): Denial | null {
  const denial = evaluateName(inquiry, now, charge)
  if (denial !== null) return denial
  if (scheme === null) return evaluateEitherScheme(inquiry)
  const destination = evaluateAuthority(inquiry, scheme)
  return 'reason' in destination ? destination : null
}
