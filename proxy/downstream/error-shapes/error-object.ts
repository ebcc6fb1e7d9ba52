import { problemMembers } from './problem.js'
import { headerText, type Asker, type ErrorShape } from './shape.js'

/**
 * `{"error": {"code", "message"}}`: OData (version 4.01, section 21.1) and with it Microsoft Graph, Google's APIs, and OpenAI's.
 * Their SDKs print `error.message`, and nothing where there is no `error`.
 */
export const errorObject: ErrorShape = {
  name: 'error object',
  recognises: (asker) => isOData(asker) || isGoogle(asker) || isOpenAi(asker),
  write: (message) => ({
    status: message.status,
    headers: { 'content-type': 'application/json' },
    body: `${JSON.stringify({
      error: { code: message.reason, message: message.text, type: 'egress' },
      ...problemMembers(message),
    })}\n`,
  }),
}

function isOData(asker: Asker): boolean {
  const { headers } = asker
  return (
    headers['odata-version'] !== undefined ||
    headers['odata-maxversion'] !== undefined ||
    headers['sdkversion'] !== undefined ||
    headerText(asker, 'accept').includes('odata') ||
    /^graph\.microsoft\./.test(headerText(asker, 'host'))
  )
}

function isGoogle({ headers }: Asker): boolean {
  return headers['x-goog-api-client'] !== undefined || headers['x-goog-api-key'] !== undefined
}

/** `X-Stainless-*` is sent by SDKs that one generator writes: OpenAI's and Anthropic's among them. */
function isOpenAi({ headers }: Asker): boolean {
  return headers['x-stainless-lang'] !== undefined
}
