import { problemMembers } from './problem.js'
import { headerText, lists, pathOf, type Asker, type ErrorShape } from './shape.js'

/** Servers may choose codes between -32000 and -32099 (JSON-RPC 2.0 section 5.1). */
const CODE = -32_000

/**
 * A JSON-RPC 2.0 error. The request's id is null, as for a request whose id could not be read (section 5): the body is unread,
 * and may hold many.
 */
export const jsonRpc: ErrorShape = {
  name: 'JSON-RPC',
  recognises: (asker) =>
    asker.method === 'POST' && (isJsonRpc(asker) || isMcp(asker) || /\/json-?rpc\/?$/.test(pathOf(asker))),
  write: (message) => ({
    status: message.status,
    headers: { 'content-type': 'application/json' },
    body: `${JSON.stringify({
      jsonrpc: '2.0',
      id: null,
      error: { code: CODE, message: message.text, data: problemMembers(message) },
    })}\n`,
  }),
}

function isJsonRpc(asker: Asker): boolean {
  return ['application/json-rpc', 'application/jsonrequest', 'application/jsonrpc'].some(
    (type) => lists(asker, 'content-type', type) || lists(asker, 'accept', type),
  )
}

/** The Model Context Protocol's HTTP transport: a client must accept both types. */
function isMcp(asker: Asker): boolean {
  const { headers } = asker
  return (
    headers['mcp-protocol-version'] !== undefined ||
    headers['mcp-session-id'] !== undefined ||
    (lists(asker, 'accept', 'application/json') &&
      lists(asker, 'accept', 'text/event-stream') &&
      headerText(asker, 'content-type').startsWith('application/json'))
  )
}
