import { headerText, lists, type Asker, type ErrorMessage, type ErrorShape } from './shape.js'

/** The members of every JSON answer of ours, whatever stands around them. */
export function problemMembers(message: ErrorMessage) {
  const { reason, status, title, detail, rule, requestId, approval, text } = message
  return {
    type: `urn:egress:${reason}`,
    title,
    status,
    ...(detail === null ? {} : { detail }),
    reason,
    ...(rule === null ? {} : { rule }),
    request_id: requestId,
    ...(approval === null ? {} : { approval }),
    // What many clients print of an error in JSON: gh and Octokit, GitLab's and Anthropic's SDKs, Git LFS.
    message: text,
  }
}

const TYPE = 'application/problem+json'

/** `application/problem+json` (RFC 9457): for every client that no other shape is for. */
export const problem: ErrorShape = {
  name: 'problem',
  recognises: () => true,
  write: (message, asker) => ({
    status: message.status,
    headers: { 'content-type': asksForJson(asker) ? 'application/json' : TYPE },
    body: `${JSON.stringify(problemMembers(message))}\n`,
  }),
}

/** Octokit and others read no JSON under a name that they did not ask for. */
function asksForJson(asker: Asker): boolean {
  return /[/+]json\b/.test(headerText(asker, 'accept')) && !lists(asker, 'accept', TYPE)
}
