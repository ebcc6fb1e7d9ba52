import type { Credential } from '#firewall/contracts/credential.js'
import type { ServiceTarget } from '#firewall/contracts/service.js'
import { describeOrigin } from '#firewall/policy-engine/describe.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { ServiceFile } from '../schema/policy.js'
import { targetPath } from './targets.js'

/** Headers that are part of every request: clearing one would break or change it. */
const ESSENTIAL = new Set([
  'host',
  'content-length',
  'content-type',
  'transfer-encoding',
  'accept-encoding',
  'connection',
])

/** Reports keys about a credential that have no effect on this one. */
export function checkCredentialKeys(
  file: ServiceFile,
  credential: Credential | null,
  path: Path,
  issues: IssueList,
): void {
  if (file.session_headers !== undefined && file.credential === undefined) {
    const problem =
      '`session_headers` has no effect on a service without a credential: its cookies always reach the sandbox'
    issues.add([...path, 'session_headers'], { problem, fix: 'Remove `session_headers`' }, 'key')
  }
  const { headers, query, cookies, path: inPath } = credential?.locations ?? {}
  for (const [index, header] of (file.credential?.also_in?.headers ?? []).entries()) {
    if (/^[A-Za-z0-9-]+$/.test(header) && !ESSENTIAL.has(header.toLowerCase())) continue
    issues.add([...path, 'credential', 'also_in', 'headers', index], {
      problem: `Header ${quote(header)} cannot contain a credential`,
      fix: 'Write the name of a header such as `Authorization`',
    })
  }
  if (file.credential?.inject !== 'on_placeholder' || credential === null) return
  if (headers ?? query ?? cookies ?? inPath) return
  issues.add([...path, 'credential', 'inject'], {
    problem: `\`inject: on_placeholder\` does not work with ${quote(credential.kind)}, which uses no header, cookie, query parameter or path`,
    fix: 'Remove `inject`',
  })
}

/** Threat: anyone on the network path can read a credential on an http:// connection. */
export function checkPlaintext(
  file: ServiceFile,
  credential: Credential | null,
  targets: readonly ServiceTarget[],
  path: Path,
  issues: IssueList,
): void {
  const fix = 'Use https://, or add `allow_plaintext: true` if you trust the network (a test on this machine)'
  const index = targets.findIndex(({ origin }) => origin.scheme === 'http')
  const exposed = index >= 0 && file.credential !== undefined
  if (exposed && file.allow_plaintext !== true) {
    const problem = 'The credential would be sent over an unencrypted http:// connection'
    issues.add(targetPath(file, path, index), { problem, fix })
  }
  const unencrypted = credential?.endpoints?.find(({ scheme }) => scheme === 'http')
  if (unencrypted !== undefined && file.allow_plaintext !== true) {
    const problem = `The token would be requested from ${quote(describeOrigin(unencrypted))} over an unencrypted connection`
    issues.add([...path, 'credential'], { problem, fix })
  }
  if (index >= 0 && credential?.clientCertificate !== undefined) {
    issues.add([...path, 'credential'], {
      problem: 'Client certificates work on https:// connections only',
      fix: 'Use https://',
    })
  }
  if (file.allow_plaintext === true && !exposed && unencrypted === undefined && targets.length > 0) {
    issues.add(
      [...path, 'allow_plaintext'],
      {
        problem: '`allow_plaintext` has no effect: no credential goes to an http:// URL',
        fix: 'Remove `allow_plaintext`',
      },
      'key',
    )
  }
}
