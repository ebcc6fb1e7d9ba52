import { describeOrigin } from '#firewall/judge/describe.js'
import type { Destination } from '#firewall/contracts/policy.js'
import type { IssueList, Path } from './issue.js'
import { quote } from './redact-message.js'

/**
 * Hosts of Amazon S3 that have no bucket in their name
 * (https://docs.aws.amazon.com/general/latest/gr/s3.html, dual-stack and FIPS among them).
 */
const ENDPOINT = /^s3([.-][a-z0-9.-]+)?\.amazonaws\.com(\.cn)?$/

/** Where a bucket stands before the endpoint, though its own name may begin like one. */
const WITH_BUCKET = /\.s3[.-]/

/**
 * Threat: without a bucket in the URL or in the rule, the agent writes into the attacker's bucket with the real keys, for
 * the buckets of everybody are behind one host. Servers of one's own are not known by their names, and not checked.
 */
export function checkBuckets(
  destinations: readonly Destination[],
  at: (index: number) => Path,
  issues: IssueList,
): void {
  for (const [index, { host, scheme, ports, rules }] of destinations.entries()) {
    if (host.kind !== 'exact' || !ENDPOINT.test(host.host) || WITH_BUCKET.test(host.host)) continue
    const open = rules.find(({ effect, path }) => effect === 'allow' && !hasBucket(path))
    if (open === undefined) continue
    const origin = describeOrigin({ scheme, host: host.host, port: ports[0] ?? 443 })
    issues.add(at(index), {
      problem: `no bucket is named at ${quote(origin)}, so ${quote(open.text)} means every bucket of everybody`,
      fix: `end the URL with the bucket: \`${origin}/my-bucket\`; or begin the host with it: \`https://my-bucket.${host.host}\``,
    })
  }
}

function hasBucket({ segments }: Destination['rules'][number]['path']): boolean {
  const [first] = segments
  // The empty one is `/` alone, which lists the buckets of the keys' own account.
  return first !== undefined && 'literal' in first
}
