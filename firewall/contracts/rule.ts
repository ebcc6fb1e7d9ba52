/** `ask`: allowed once a person has approved the request. */
export type Effect = 'allow' | 'deny' | 'ask'

/**
 * One line of `rules`. The first rule of the request's kind that matches decides. An allow rule matches what it says and nothing
 * else; a deny rule also matches the spellings that a lenient server could take for the same. An ask rule matches like an allow
 * rule; those other spellings are denied.
 */
export interface Rule<Kind extends string = string, Match = unknown> {
  readonly effect: Effect
  /** Name of the rule kind that understands `match`, such as `http`. */
  readonly kind: Kind
  /** What the rule matches, as its kind's `parse` returned it. */
  readonly match: Match
  /** The rule as the policy writes it, for denials, logs and `explain`. */
  readonly text: string
  /** Its place in the policy: `services.jira.rules[0]`. */
  readonly id: string
}

/** A path pattern: `*` matches one segment or a part of one, a final `**` any number of segments, zero included. */
export interface PathPattern {
  readonly text: string
  readonly segments: readonly SegmentPattern[]
  /** True when the pattern ends in `**`. */
  readonly recursive: boolean
  /** What a deny rule compares instead, with the ways in which a lenient server could read a path. */
  readonly loose: readonly LoosePattern[]
}

/** One folded form of a pattern; a segment with stars is the text before, between and after them. */
export interface LoosePattern {
  readonly segments: readonly (string | { readonly parts: readonly string[] })[]
  readonly recursive: boolean
}

/** `parts` is the text before, between and after the stars of `text`. */
export type SegmentPattern =
  { readonly literal: string } | { readonly parts: readonly string[]; readonly text: string }
