import type { ApprovalSettings, ApprovalWebhook } from '#firewall/contracts/approvals.js'
import type { CredentialField } from '#firewall/contracts/credential.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { Destination } from '#firewall/contracts/policy.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { Path } from '../issues/issue.js'
import { DurationReader, readSize } from '../limits/limits.js'
import type { PolicyFile } from '../schema/policy.js'
import { parseTemplate, renderTemplate } from '../secrets/template.js'
import type { LoadContext } from '../services/context.js'

export const DEFAULT_APPROVALS: ApprovalSettings = {
  // Long enough for a person who watches, and shorter than any client's time-out.
  holdMs: 5_000,
  expireMs: 900_000,
  // More than an issue, a comment or a message has.
  maxBodyBytes: 65_536,
  webhook: null,
}

/** What can be shown, and is held in memory until it is decided. */
const MAX_BODY_BYTES = 1024 ** 2

const HOLD = { min: 0, max: 3_600_000 }
const EXPIRE = { min: 1_000, max: 86_400_000 }

const KEY: CredentialField = { secret: true, describe: 'the key of the signatures' }

export interface ReadApprovals {
  readonly settings: ApprovalSettings
  /** Names of the secrets that the webhook needs. */
  readonly names: readonly string[]
}

/** Reads `approvals`. */
export function readApprovals(file: PolicyFile['approvals'], context: LoadContext): ReadApprovals {
  const { issues } = context
  const path: Path = ['approvals']
  const duration = new DurationReader(path, issues)
  const names: string[] = []
  const maxBodyBytes =
    readSize(file?.max_body, [...path, 'max_body'], issues) ?? DEFAULT_APPROVALS.maxBodyBytes
  if (maxBodyBytes > MAX_BODY_BYTES)
    issues.add([...path, 'max_body'], {
      problem: '`max_body` is larger than 1MiB, which nobody could read',
      fix: 'Write `max_body: 1MiB` or less; larger requests need an `allow` or `deny` rule',
    })
  const settings: ApprovalSettings = {
    holdMs: duration.read('hold', file?.hold, HOLD) ?? DEFAULT_APPROVALS.holdMs,
    expireMs: duration.read('expire', file?.expire, EXPIRE) ?? DEFAULT_APPROVALS.expireMs,
    maxBodyBytes,
    webhook: readWebhook(file?.webhook, [...path, 'webhook'], names, context),
  }
  return { settings, names }
}

function readWebhook(
  file: NonNullable<PolicyFile['approvals']>['webhook'],
  path: Path,
  names: string[],
  { issues, secrets, resolved }: LoadContext,
): ApprovalWebhook | null {
  if (file === undefined) return null
  const url = parseUrl(file.url)
  if (url === null)
    issues.add([...path, 'url'], {
      problem: 'Invalid URL of the webhook',
      fix: 'Write an https:// URL without a user name, such as `https://chat.example.com/hooks/egress`',
    })
  const template = parseTemplate(KEY, file.secret)
  if (isDiagnostic(template)) {
    issues.add([...path, 'secret'], template)
    return null
  }
  names.push(...template.names)
  const rendered = renderTemplate(template, KEY, secrets)
  if (rendered !== null && isDiagnostic(rendered)) {
    issues.add([...path, 'secret'], rendered)
    return null
  }
  const secret = new Secret(template.names.join('+'), rendered?.text ?? '', rendered?.sensitive)
  resolved({
    id: 'approvals.webhook',
    kind: { name: 'webhook', fields: { secret: KEY }, check: () => null },
    fields: [{ key: 'secret', field: KEY, template, secret }],
  })
  return url === null ? null : { url, secret }
}

/** Without TLS only on this machine: what it is told names hosts and paths of requests. */
function parseUrl(text: string): string | null {
  if (!URL.canParse(text)) return null
  const { protocol, hostname, username, password, href } = new URL(text)
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isLocal)
  return isSafe && username === '' && password === '' ? href : null
}

/** Whether anything asks: a policy without such rules needs none of this. */
export function asks(destinations: readonly Destination[]): boolean {
  return destinations.some(({ rules, agentRules = {} }) =>
    [rules, ...Object.values(agentRules)].some((list) => list.some(({ effect }) => effect === 'ask')),
  )
}
