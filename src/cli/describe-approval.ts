import type { PresentedApproval } from '../approvals/present.js'
import { visible } from '../common/hostile-text.js'

/** One line for a list. What a sandbox chose is text, whatever is in it. */
export function summaryLine(approval: PresentedApproval, now: number): string {
  const { id, state, expires, agent, sandbox, method, url, credential } = approval
  const seconds = Math.max(0, Math.round((Date.parse(expires) - now) / 1000))
  const left = seconds < 120 ? `${String(seconds)} s` : `${String(Math.round(seconds / 60))} min`
  const what = visible(`${method} ${url}`)
  const key = credential === null ? 'no credential' : `with ${visible(credential)}`
  return `${visible(id)}  ${state}, ${left} left  ${what}  (${key}; agent ${visible(agent)}, sandbox ${visible(sandbox)})`
}

/** Everything that the decider has to know. */
export function approvalLines(approval: PresentedApproval): string[] {
  const { body, rules, adds, headers, more_headers: more } = approval
  return [
    `${approval.id}  ${approval.state}, until ${approval.expires}`,
    `  sandbox     ${visible(approval.sandbox)}, agent ${visible(approval.agent)}`,
    `  request     ${visible(`${approval.method} ${approval.url}`)}${approval.kind === 'upgrade' ? ' (opens a WebSocket)' : ''}`,
    ...(approval.operations === null ? [] : [`  operations  ${visible(approval.operations)}`]),
    `  credential  ${approval.credential === null ? 'none' : visible(approval.credential)}`,
    ...rules.map(
      ({ id, text, meaning }) => `  rule        ${visible(`${id}: ask ${text}`)} (${visible(meaning)})`,
    ),
    ...headers.map(([name, value]) => `  header      ${visible(`${name}: ${value}`)}`),
    ...(more > 0 ? [`  header      … and ${String(more)} more, which are not shown`] : []),
    `  body        ${String(body.bytes)} bytes, SHA-256 ${body.sha256}`,
    ...bodyLines(body),
    `  once        ${adds.once}`,
    `  --for       ${adds.for}`,
    `  --always    ${adds.always}`,
  ]
}

function bodyLines({ content, encoding, omitted }: PresentedApproval['body']): string[] {
  if (content === '') return []
  const lines = encoding === 'utf8' ? content.split('\n') : (content.match(/.{1,76}/g) ?? [])
  return [
    ...(encoding === 'utf8' ? [] : ['              not text; in base64:']),
    // A bar before each line: no line of a body passes for one of ours.
    ...lines.map((line) => `            | ${visible(line)}`),
    ...(omitted > 0 ? [`              … and ${String(omitted)} more bytes, which are not shown`] : []),
  ]
}
