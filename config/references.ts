import type { IssueList, Path } from './issue.js'
import type { YamlSource } from './yaml-source.js'

/**
 * Reports `${` wherever it does not mean a secret. Threat: a reader of the policy believes that the value is filled in
 * there, or a later version of a tool in between does fill it in, and the secret lands in a rule, a log or the sandbox.
 */
export function checkReferences(scalars: YamlSource['scalars'], issues: IssueList): void {
  for (const { path, text, part } of scalars) {
    if (!text.includes('${')) continue
    if (part === 'value' && mayStand(path)) continue
    issues.addFinal(
      path,
      {
        problem: 'a `${…}` stands where no secret may stand',
        fix: adviceFor(path),
      },
      part,
    )
  }
}

/** Keys of secret stores that take a reference: what the gateway proves itself with. */
const STORE_KEYS: readonly unknown[] = ['token', 'access_key', 'secret_key', 'session_token']

function mayStand(path: Path): boolean {
  if (path[0] === 'services') return path[2] === 'credential'
  return path[0] === 'secrets' && STORE_KEYS.includes(path[3])
}

function adviceFor(path: Path): string {
  if (path[0] === 'services' && path[2] === 'env')
    return 'write `{placeholder:NAME}`: the sandbox gets a placeholder, never the secret'
  if (path[0] === 'secrets' && path[2] === 'command')
    return 'no shell reads the arguments: name variables under `env`, and let the command find them there'
  return path[0] === 'secrets'
    ? 'write the value itself; a secret store takes references for its token or keys only'
    : 'write the value itself; secrets are named under `credential` only'
}
