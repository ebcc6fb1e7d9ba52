import type { Diagnostic } from '#firewall/names/host-pattern.js'
import type { IssueList, Path } from './issue.js'
import { nearest } from './nearest.js'
import { quote } from './redact-message.js'

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
 * The sandbox's environment for a service: a placeholder for every secret under the secret's own name, the address of its
 * route, and what the policy adds or overrides.
 */
export function serviceEnvironment(
  names: ServiceNames,
  given: Readonly<Record<string, string>>,
  path: Path,
  issues: IssueList,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const secret of names.secrets) environment[secret] = `{placeholder:${secret}}`
  environment[baseUrlVariable(names.service)] = '{base_url}'
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
    const diagnostic = templateError(template, names)
    if (diagnostic === null) environment[name] = template
    else issues.add([...path, name], diagnostic)
  }
  return environment
}

/** Only placeholders are quoted: a value may be a secret that was put here by mistake. */
function templateError(template: string, { secrets, targets }: ServiceNames): Diagnostic | null {
  if (/[\x00-\x1f\x7f]/.test(template)) {
    return { problem: 'the value has a line break or a control byte in it', fix: 'write it on one line' }
  }
  // `${` is refused wherever it stands outside a credential.
  for (const [, word = '', argument] of template.matchAll(/(?<!\$)\{([a-z]+)(:[^{}]*)?\}/g)) {
    const diagnostic = templateVariableError(word, argument, secrets)
    if (diagnostic !== null) return diagnostic
    if (word === 'url' && targets > 1) {
      return {
        problem: '`{url}` could mean any of the targets of this service',
        fix: 'write the URL that is meant, or use `{base_url}`',
      }
    }
  }
  return null
}

function templateVariableError(
  word: string,
  argument: string | undefined,
  secrets: readonly string[],
): Diagnostic | null {
  if (word === 'placeholder') {
    const name = argument?.slice(1) ?? ''
    if (secrets.includes(name)) return null
    const known = secrets.map((secret) => `\`{placeholder:${secret}}\``).join(', ')
    return {
      problem: `${quote(`{placeholder:${name}}`)} names no secret of this service's credential`,
      fix: known === '' ? 'bind a credential to the service first' : `write ${known}`,
    }
  }
  if ((word === 'url' || word === 'route') && argument === undefined) return null
  const near = nearest(word, ['url', 'route', 'placeholder'])
  return {
    problem: `${quote(`{${word}}`)} is not a placeholder`,
    fix:
      near === null || near === word
        ? 'write `{url}`, `{base_url}` or `{placeholder:NAME}`'
        : `write \`{${near}}\``,
  }
}
