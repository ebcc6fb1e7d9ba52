import { createHash } from 'node:crypto'
import type { GraphqlContent } from '#firewall/policy-engine/graphql-endpoints.js'
import { describeField } from '#firewall/rules/graphql.js'
import { deny, type Denial } from '../contracts/denial.js'
import { required, type Exchange, type Inquiry } from './exchange.js'
import { readWhole } from './read-whole.js'

/** Root fields that a record names. */
const SHOWN_FIELDS = 8

/**
 * Reads the body of a request to an endpoint of GraphQL, and holds it: the bytes that were judged are those
 * that are sent. Its memory is that of the room, which the request has to have by now.
 */
export async function readGraphql(exchange: Exchange): Promise<Denial | null> {
  // Threat: behind the upgrade are messages that no rule sees.
  if (exchange.downstream.upgrade !== null)
    return deny('graphql-unreadable', { detail: 'operations in a WebSocket cannot be checked' })
  // The parser of GraphQL is loaded with the first request that needs it.
  const { MAX_GRAPHQL_BYTES } = await import('#firewall/rules/graphql-request.js')
  const body = await readWhole(exchange, MAX_GRAPHQL_BYTES, {
    tooLarge: deny('graphql-too-complex', { detail: `more than ${String(MAX_GRAPHQL_BYTES)} bytes` }),
    broken: deny('graphql-unreadable', { detail: 'the body did not come whole' }),
  })
  if ('reason' in body) return body
  exchange.readBody = body
  exchange.graphql = await graphqlContent(exchange, body)
  return null
}

/** What an inquiry with this body asks for. */
export async function graphqlContent(
  { method, path, headers }: Inquiry,
  body: Uint8Array,
): Promise<GraphqlContent> {
  const { readGraphqlRequest } = await import('#firewall/rules/graphql-request.js')
  return readGraphqlRequest(
    {
      method,
      query: required(path).query,
      contentType: headers['content-type'],
      contentEncoding: headers['content-encoding'],
      body,
    },
    (text) => createHash('sha256').update(text).digest('hex'),
  )
}

/** The operations of an allowed request, for its record; null for other requests. */
export function describeGraphql({ graphql }: Inquiry): string | null {
  if (graphql === null || 'reason' in graphql) return null
  const shown = graphql.slice(0, SHOWN_FIELDS).map(describeField)
  const more = graphql.length - shown.length
  return `GraphQL: ${shown.join(', ')}${more > 0 ? ` and ${String(more)} more` : ''}`
}
