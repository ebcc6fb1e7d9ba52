import type { Rule } from '../contracts/rule.js'
import {
  isGraphqlRule,
  mayBeEndpoint,
  type GraphqlField,
  type GraphqlMatch,
  type GraphqlSubject,
} from '../rules/graphql.js'
import { unreadable, type GraphqlProblem } from '../rules/graphql-problem.js'
import type { RequestPath } from '../rules/request-path.js'

/** What a request asks of an endpoint of GraphQL, or why that cannot be told. */
export type GraphqlContent = readonly GraphqlField[] | GraphqlProblem

/** The endpoints of GraphQL that lists of rules are for. */
export class GraphqlEndpoints {
  /** By list, one match for each path. */
  readonly #matches: ReadonlyMap<readonly Rule[], readonly GraphqlMatch[]>

  constructor(lists: readonly (readonly Rule[])[]) {
    const matches = new Map<readonly Rule[], readonly GraphqlMatch[]>()
    for (const rules of lists) {
      const byPath = new Map(rules.filter(isGraphqlRule).map(({ match }) => [match.path, match]))
      if (byPath.size > 0) matches.set(rules, [...byPath.values()])
    }
    this.#matches = matches
  }

  get isEmpty(): boolean {
    return this.#matches.size === 0
  }

  /** Whether a server could take the path for one of these endpoints. */
  mayBe(rules: readonly Rule[], path: RequestPath): boolean {
    return this.#matches.get(rules)?.some((match) => mayBeEndpoint(match, path)) === true
  }

  /**
   * What the rules are asked about, one by one. Never empty.
   *
   * @param content null where the body was not read
   * @param isSeveral whether a server could take the request for one with another method
   */
  subjects(
    rules: readonly Rule[],
    path: RequestPath,
    content: GraphqlContent | null,
    isSeveral: boolean,
  ): readonly GraphqlSubject[] | GraphqlProblem {
    if (isSeveral) return unreadable('the request names another method')
    const isExact =
      path.readings.length === 1 && this.#matches.get(rules)?.some((match) => match.path === path.path)
    if (isExact !== true) return unreadable('the path is not exactly that of the endpoint')
    if (content === null) return unreadable('the request has no document')
    if ('reason' in content) return content
    return content.length === 0
      ? unreadable('the document has no field')
      : content.map((field) => ({ ...field, path: path.path }))
  }
}
