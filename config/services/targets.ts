import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { ServiceTarget } from '#firewall/contracts/service.js'
import type { IssueList, Path } from '../issues/issue.js'
import type { ServiceFile } from '../schema/policy.js'
import { parseTargetUrl } from './target-url.js'

/** The targets of a service, from its `url` or `targets`; `path` is the service's own. Invalid URLs are left out. */
export function readTargets(file: ServiceFile, path: Path, issues: IssueList): readonly ServiceTarget[] {
  if ((file.url === undefined) === (file.targets === undefined)) {
    const fix = 'Write either `url: https://…` or `targets: [https://…, https://…]`'
    const problem =
      file.url === undefined ? 'The service has no `url`' : 'The service has both `url` and `targets`'
    issues.add(path, { problem, fix }, 'key')
    return []
  }
  const given = file.url === undefined ? (file.targets ?? []) : [file.url]
  const targets: ServiceTarget[] = []
  for (const [index, text] of given.entries()) {
    const at = targetPath(file, path, index)
    const target = parseTargetUrl(text)
    if (isDiagnostic(target)) {
      issues.add(at, target)
    } else if (targets.some(({ origin }) => sameOrigin(origin, target.origin))) {
      issues.add(at, {
        problem: 'Two targets of this service have the same scheme, host and port',
        fix: 'Keep one target with their common base path, and put the rest of each path in `rules`',
      })
    } else targets.push(target)
  }
  return targets
}

export function targetPath(file: ServiceFile, path: Path, index: number): Path {
  return file.url === undefined ? [...path, 'targets', index] : [...path, 'url']
}

function sameOrigin(a: Origin, b: Origin): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port
}
