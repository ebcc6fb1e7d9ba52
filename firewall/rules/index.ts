import type { Diagnostic } from '../contracts/diagnostic.js'
import { isDiagnostic } from '../contracts/diagnostic.js'
import type { Rule } from '../contracts/rule.js'
import { graphql } from './graphql.js'
import { grpc } from './grpc.js'
import { http } from './http.js'
import type { RuleKind } from './rule-kind.js'

/** A set of rule kinds. The loader, the policy engine and the checks for dead rules reach each kind through it. */
export class RuleKinds {
  readonly #byName: ReadonlyMap<string, RuleKind>

  constructor(kinds: readonly RuleKind[]) {
    this.#byName = new Map(kinds.map((kind) => [kind.name, kind]))
  }

  /** The kind of this name. Throws if there is none: a loaded rule always has a kind. */
  named(name: string): RuleKind {
    const kind = this.#byName.get(name)
    if (kind === undefined) throw new Error(`unknown rule kind ${name}`)
    return kind
  }

  /** Reads a rule's text with the kind whose keyword it begins with, else with the kind that has no keyword. */
  parse(text: string): Pick<Rule, 'kind' | 'match'> | Diagnostic {
    const first = text.trim().split(/\s/, 1)[0]
    const kinds = [...this.#byName.values()]
    const kind =
      kinds.find(({ keyword }) => keyword === first) ?? kinds.find(({ keyword }) => keyword === null)
    if (kind === undefined)
      return { problem: `Unknown rule \`${text}\``, fix: `Begin it with ${this.#keywords()}` }
    const match = kind.parse(text)
    return typeof match === 'object' && match !== null && isDiagnostic(match)
      ? match
      : { kind: kind.name, match }
  }

  /** Whether a rule of this kind and match could only deny. */
  denyOnly({ kind, match }: Pick<Rule, 'kind' | 'match'>): boolean {
    return this.named(kind).denyOnly?.(match) === true
  }

  /** The earlier rules that together leave nothing to a later one; null if it can still decide. */
  shadowedBy<R extends Rule>(rule: R, earlier: readonly R[]): readonly R[] | null {
    const same = earlier.filter(({ kind }) => kind === rule.kind)
    const matches = same.map(({ match }) => match)
    const over = this.named(rule.kind).covers(matches, rule.match)
    return over === null ? null : over.flatMap((index) => same[index] ?? [])
  }

  /** False if no request matches both rules. */
  overlaps(a: Rule, b: Rule): boolean {
    return a.kind === b.kind && this.named(a.kind).overlaps(a.match, b.match)
  }

  /** The rule at a service whose URL ends in `basePath`. */
  below(rule: Rule, basePath: string): Rule {
    return { ...rule, match: this.named(rule.kind).below(rule.match, basePath) }
  }

  /** The rule in plain English: `may use GET on any path`. */
  explain({ effect, kind, match }: Rule): string {
    const may = { allow: 'may', deny: 'may not', ask: 'may, if a person approves,' }[effect]
    return `${may} ${this.named(kind).explain(match)}`
  }

  #keywords(): string {
    return [...this.#byName.values()].map(({ keyword }) => `\`${keyword ?? ''}\``).join(' or ')
  }
}

/** Every kind that a policy can use. */
export const RULE_KINDS = new RuleKinds([http, grpc, graphql])
