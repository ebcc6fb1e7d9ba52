import type { IssueList } from './issue.js'
import type { YamlSource } from './yaml-source.js'

/**
 * Reports `${` wherever it does not mean a secret. Threat: a reader of the policy believes that the value is filled in
 * there, or a later version of a tool in between does fill it in, and the secret lands in a rule, a log or the sandbox.
 */
export function checkReferences(scalars: YamlSource['scalars'], issues: IssueList): void {
  for (const { path, text, part } of scalars) {
    if (!text.includes('${')) continue
    if (part === 'value' && path[0] === 'services' && path[2] === 'credential') continue
    const inEnvironment = path[0] === 'services' && path[2] === 'env'
    issues.addFinal(
      path,
      {
        problem: 'a `${…}` stands where no secret may stand',
        fix: inEnvironment
          ? 'write `{dummy:NAME}`: the sandbox gets a stand-in, never the secret'
          : 'write the value itself; secrets are named under `credential` only',
      },
      part,
    )
  }
}
