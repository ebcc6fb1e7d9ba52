/** Why a request to an endpoint of GraphQL is refused before a rule is asked. */
export interface GraphqlProblem {
  readonly reason: 'graphql-unreadable' | 'graphql-too-complex'
  readonly detail: string
}

/** @param detail in a few words of ours: nothing of what a client wrote */
export function unreadable(detail: string): GraphqlProblem {
  return { reason: 'graphql-unreadable', detail }
}

export function tooComplex(detail: string): GraphqlProblem {
  return { reason: 'graphql-too-complex', detail }
}
