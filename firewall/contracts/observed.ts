/**
 * Id of the rule by which an unlisted host passes while a run is observed. No part of a policy has this id, for those begin with
 * the names of sections.
 */
export const OBSERVED_RULE = 'observe'

/** What a record says in place of a reason. */
export const OBSERVED_REASON = 'observed'

/** Whether something passed because its run is observed, and not because the policy allows it. */
export function isObserved({
  verdict,
  rule,
}: {
  readonly verdict: string
  readonly rule: string | null
}): boolean {
  return verdict === 'allow' && rule === OBSERVED_RULE
}
