import { problemMembers } from './problem.js'
import { headerText, type ErrorShape } from './shape.js'

/** `{"error": "…"}`: npm and its kin print a text there, and `[object Object]` for anything else. */
export const errorText: ErrorShape = {
  name: 'error text',
  recognises: (asker) =>
    asker.headers['npm-command'] !== undefined ||
    headerText(asker, 'accept').includes('application/vnd.npm.') ||
    /^(npm|yarn|pnpm|bun)\//.test(headerText(asker, 'user-agent')),
  write: (message) => ({
    status: message.status,
    headers: { 'content-type': 'application/json' },
    body: `${JSON.stringify({ error: message.text, ...problemMembers(message) })}\n`,
  }),
}
