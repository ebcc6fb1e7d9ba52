import { problemMembers } from './problem.js'
import { lists, pathOf, type ErrorShape } from './shape.js'

const TYPE = 'application/graphql-response+json'

/** `{"errors": [{"message", "extensions"}]}` (GraphQL October 2021 section 7.1, GraphQL over HTTP). */
export const graphql: ErrorShape = {
  name: 'GraphQL',
  recognises: (asker) =>
    lists(asker, 'accept', TYPE) ||
    lists(asker, 'content-type', 'application/graphql') ||
    /\/graphql(\.json)?\/?$/.test(pathOf(asker)),
  write(message, asker) {
    const extensions = { code: message.reason, ...problemMembers(message) }
    return {
      status: message.status,
      headers: { 'content-type': lists(asker, 'accept', TYPE) ? TYPE : 'application/json' },
      body: `${JSON.stringify({ errors: [{ message: message.text, extensions }] })}\n`,
    }
  },
}
