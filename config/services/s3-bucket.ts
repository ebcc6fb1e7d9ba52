import { describeOrigin } from '#firewall/policy-engine/describe.js'
import type { Destination } from '#firewall/contracts/policy.js'
import { isHttpRule, type HttpRule } from '#firewall/rules/http.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'

/**
 * Hosts of Amazon S3 that have no bucket in their name
 * (https://docs.aws.amazon.com/general/latest/gr/s3.html, dual-stack and FIPS among them).
 */
const ENDPOINT = /^s3([.-][a-z0-9.-]+)?\.amazonaws\.com(\.cn)?$/

/** A bucket before the endpoint, even if its name begins like an endpoint. */
const WITH_BUCKET = /\.s3[.-]/

/**
 * Threat: without a bucket in the URL or in the rule, the agent could write to an attacker's bucket with the real keys,
 * because all customers' buckets share one host. Other S3 servers cannot be recognised by their names and are not checked.
 */
export function checkBuckets(
  destinations: readonly Destination[],
  at: (index: number) => Path,
  issues: IssueList,
): void {
  for (const [index, { host, scheme, ports, rules }] of destinations.entries()) {
    if (host.kind !== 'exact' || !ENDPOINT.test(host.host) || WITH_BUCKET.test(host.host)) continue
    const open = rules.find((rule) => rule.effect === 'allow' && isHttpRule(rule) && !hasBucket(rule))
    if (open === undefined) continue
    const origin = describeOrigin({ scheme, host: host.host, port: ports[0] ?? 443 })
    issues.add(at(index), {
      problem: `${quote(origin)} names no bucket, so ${quote(open.text)} would allow every S3 bucket, not only yours`,
      fix: `Add the bucket to the URL: \`${origin}/my-bucket\` or \`https://my-bucket.${host.host}\``,
    })
  }
}

function hasBucket({ match }: HttpRule): boolean {
  const [first] = match.path.segments
  // The path `/` has one empty segment; it lists the buckets of the keys' own account.
  return first !== undefined && 'literal' in first
}
