import type { Diagnostic } from '../contracts/diagnostic.js'

/**
 * One language of rules. HTTP rules are one kind; a protocol with messages of its own brings another. All methods are pure.
 * To add a kind: one file in this folder, and its name in `index.ts`.
 *
 * `Match` is what a rule matches: plain data, because it becomes a part of the frozen policy. `Subject` is one reading of one
 * request of this protocol, as the proxy's code for the protocol makes it.
 */
export interface RuleKind<Match = unknown, Subject = unknown> {
  /** Stored in `Rule.kind`, such as `http`. */
  readonly name: string
  /** The first word of a rule's text that selects this kind, in upper case; null for HTTP, whose rules begin with methods. */
  readonly keyword: string | null
  /**
   * Reads the text after `allow:` or `deny:`, the keyword included. Called once per rule when a policy is loaded.
   *
   * @returns a Diagnostic for anything that is not a rule of this kind, or that could never match. Never throws.
   */
  parse(text: string): Match | Diagnostic
  /**
   * True if the rule applies to the subject. Called for every request, so it takes time linear in the size of both. `Match`
   * comes from `parse` or `below`. What the sandbox sent is in the subject: malformed input is false, never an exception.
   */
  matches(match: Match, subject: Subject): boolean
  /**
   * True if the match itself names a way to read the subject, so that it decides although other readings match no rule:
   * `/projects/acme%2Fapp` says that this server keeps `%2F` in a segment. A deny rule for another reading still decides.
   * Kinds without such matches leave it out.
   */
  namesReading?(match: Match): boolean
  /**
   * Asked instead of `matches` for a deny rule: also true for every spelling that a lenient server could take for a subject that
   * matches. Left out by kinds whose subjects have one spelling. The same bounds apply.
   */
  matchesLoosely?(match: Match, subject: Subject): boolean
  /** True for a match that says nothing about what a request may do as a whole, so that only a deny rule can have it. */
  denyOnly?(match: Match): boolean
  /**
   * Finds rules that can never decide. `earlier` are the rules above, in their order.
   *
   * @returns indexes of earlier rules that together match all that `later` matches; null if there are none, or if that cannot
   *   be told
   */
  covers(earlier: readonly Match[], later: Match): readonly number[] | null
  /** False if no subject matches both; may be true if that cannot be told. */
  overlaps(a: Match, b: Match): boolean
  /**
   * The same match at a service whose URL ends in a path (`/jira`, without a slash at the end). Kinds without paths return it
   * unchanged.
   */
  below(match: Match, basePath: string): Match
  /** The match in plain English, to follow "may" or "may not": `use GET, HEAD on /rest and everything below it`. */
  explain(match: Match): string
}
