import type { Fault } from '#firewall/host-pattern.js'
import type { IssueList, Path } from './issue.js'
import { nearest } from './nearest.js'
import { quote } from './scrub.js'

interface ServiceNames {
  readonly service: string
  /** Names of the secrets that its credential refers to. */
  readonly secrets: readonly string[]
  /** How many targets `{url}` could mean. */
  readonly targets: number
}

/** `jira-cloud` is reached at `$JIRA_CLOUD_BASE_URL`. */
export function baseUrlVariable(service: string): string {
  return `${service.toUpperCase().replaceAll('-', '_')}_BASE_URL`
}

/**
 * The sandbox's environment for a service: a stand-in for every secret under the secret's own name, the address of its
 * route, and what the policy adds or overrides.
 */
export function serviceEnvironment(
  names: ServiceNames,
  given: Readonly<Record<string, string>>,
  path: Path,
  issues: IssueList,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const secret of names.secrets) environment[secret] = `{dummy:${secret}}`
  environment[baseUrlVariable(names.service)] = '{route}'
  for (const [name, template] of Object.entries(given)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      issues.add(
        [...path, name],
        {
          problem: `${quote(name)} is not the name of a variable`,
          fix: 'use letters, digits and underscores, with no digit first',
        },
        'key',
      )
    }
    const fault = templateFault(template, names)
    if (fault === null) environment[name] = template
    else issues.add([...path, name], fault)
  }
  return environment
}

/** Only placeholders are quoted: a value may be a secret that was put here by mistake. */
function templateFault(template: string, { secrets, targets }: ServiceNames): Fault | null {
  if (/[\x00-\x1f\x7f]/.test(template)) {
    return { problem: 'the value has a line break or a control byte in it', fix: 'write it on one line' }
  }
  // `${` is refused wherever it stands outside a credential.
  for (const [, word = '', argument] of template.matchAll(/(?<!\$)\{([a-z]+)(:[^{}]*)?\}/g)) {
    const fault = placeholderFault(word, argument, secrets)
    if (fault !== null) return fault
    if (word === 'url' && targets > 1) {
      return {
        problem: '`{url}` could mean any of the targets of this service',
        fix: 'write the URL that is meant, or use `{route}`',
      }
    }
  }
  return null
}

function placeholderFault(
  word: string,
  argument: string | undefined,
  secrets: readonly string[],
): Fault | null {
  if (word === 'dummy') {
    const name = argument?.slice(1) ?? ''
    if (secrets.includes(name)) return null
    const known = secrets.map((secret) => `\`{dummy:${secret}}\``).join(', ')
    return {
      problem: `${quote(`{dummy:${name}}`)} names no secret of this service's credential`,
      fix: known === '' ? 'bind a credential to the service first' : `write ${known}`,
    }
  }
  if ((word === 'url' || word === 'route') && argument === undefined) return null
  const near = nearest(word, ['url', 'route', 'dummy'])
  return {
    problem: `${quote(`{${word}}`)} is not a placeholder`,
    fix:
      near === null || near === word ? 'write `{url}`, `{route}` or `{dummy:NAME}`' : `write \`{${near}}\``,
  }
}
