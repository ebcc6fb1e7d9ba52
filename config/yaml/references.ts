import type { IssueList, Path } from '../issues/issue.js'
import type { YamlSource } from './yaml-source.js'

/**
 * Reports `${` everywhere except where secret references are allowed. Threat: a reader of the policy believes that the value is
 * expanded there, or another tool does expand it, and the secret ends up in a rule, a log or the sandbox.
 */
export function checkReferences(scalars: YamlSource['scalars'], issues: IssueList): void {
  for (const { path, text, part } of scalars) {
    if (!text.includes('${')) continue
    if (part === 'value' && isAllowed(path)) continue
    issues.addFinal(
      path,
      {
        problem: 'Secret references (`${…}`) are not allowed here',
        fix: fixFor(path),
      },
      part,
    )
  }
}

/** Keys of secret stores that take a reference: the gateway's own credentials for the store. */
const STORE_KEYS: readonly unknown[] = ['token', 'access_key', 'secret_key', 'session_token']

function isAllowed(path: Path): boolean {
  if (path[0] === 'services') return path[2] === 'credential'
  if (path[0] === 'upstream') return path[1] === 'proxy'
  if (path[0] === 'approvals') return path[1] === 'webhook' && path[2] === 'secret'
  return path[0] === 'secrets' && STORE_KEYS.includes(path[3])
}

function fixFor(path: Path): string {
  if (path[0] === 'services' && path[2] === 'env')
    return 'Write `{placeholder:NAME}`: the sandbox gets a placeholder, never the secret'
  if (path[0] === 'secrets' && path[2] === 'command')
    return 'List the variable under `env`, and let the command read it; no shell expands the arguments'
  return path[0] === 'secrets'
    ? 'Write the literal value; a secret store takes references only for its token or keys'
    : 'Write the literal value; use references only under `credential`'
}
