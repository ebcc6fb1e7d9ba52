import { OBSERVED_RULE } from '../contracts/observed.js'
import type { BudgetLimits } from '../contracts/limits.js'
import type { Destination, Policy } from '../contracts/policy.js'
import { ANY_PATH } from '../rules/path-pattern.js'

/**
 * What all unlisted names together may cost while a run is observed. They are one wildcard over all names: whoever owns a domain
 * learns from each name below it that is looked up, and a sandbox chooses among all domains. More than a wildcard of a policy has,
 * since an honest run reaches more hosts than one domain has names. `leakBoundBits` says what that is at most, in docs/policy.md.
 */
export const OBSERVED_BUDGET: BudgetLimits = { names: 64, bytes: 1024, windowMs: 600_000, bytesPerDay: 4096 }

/** Suffixes of names that mean something else on each network, and nothing on the public one (RFC 6761, 6762, 7686, 8375, 9476). */
const LOCAL_SUFFIXES: readonly string[] = [
  ...['alt', 'arpa', 'corp', 'home', 'internal', 'intranet', 'invalid', 'lan', 'local', 'localhost'],
  ...['mail', 'onion', 'private'],
]

/** Whether a name may pass at all while a run is observed: not a name of the host's own network. */
export function isObservable(host: string): boolean {
  const dot = host.lastIndexOf('.')
  return dot > 0 && !LOCAL_SUFFIXES.includes(host.slice(dot + 1))
}

/**
 * The hosts that a policy does not list, as destinations without a service, and so without a credential. Everything else that
 * limits a wildcard limits them: what their names look like and cost, the addresses that they may have, when they are looked up.
 */
export function observedDestinations({ dns }: Policy): readonly Destination[] {
  return (['https', 'http'] as const).map((scheme) => ({
    id: OBSERVED_RULE,
    label: OBSERVED_RULE,
    host: { kind: 'wildcard', suffix: '', recursive: true, text: '**' },
    scheme,
    // Other ports are for other protocols, some of which take a request of HTTP for commands.
    ports: [scheme === 'https' ? 443 : 80],
    mode: 'intercept',
    rules: [
      {
        effect: 'allow',
        kind: 'http',
        match: { methods: null, path: ANY_PATH, parameter: null },
        text: '* /**',
        id: OBSERVED_RULE,
      },
    ],
    service: null,
    allowPrivateAddresses: false,
    ca: null,
    nameLimits: { features: dns.nameLimits.features, budget: OBSERVED_BUDGET },
  }))
}
