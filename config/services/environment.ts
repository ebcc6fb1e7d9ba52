import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { IssueList, Path } from '../issues/issue.js'
import { nearest } from '#firewall/rules/nearest.js'
import { quote } from '../issues/quote.js'
import { retiredVariable } from '../schema/retired-keys.js'

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

/** Variables that a program takes for a setting of its own: Yarn does not start with one that it does not know. */
const CLAIMED: readonly string[] = Object.freeze(['YARN_BASE_URL'])

/**
 * The sandbox's environment for a service: a placeholder for each secret, under the secret's own name; the service's base
 * URL; and the variables of the policy, which override these.
 */
export function serviceEnvironment(
  names: ServiceNames,
  given: Readonly<Record<string, string>>,
  path: Path,
  issues: IssueList,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const secret of names.secrets) environment[secret] = `{placeholder:${secret}}`
  const baseUrl = baseUrlVariable(names.service)
  if (!CLAIMED.includes(baseUrl)) environment[baseUrl] = '{base_url}'
  for (const [name, template] of Object.entries(given)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      issues.add(
        [...path, name],
        {
          problem: `Invalid variable name ${quote(name)}`,
          fix: 'Use letters, digits and underscores, not beginning with a digit',
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

/** Messages quote variables only: the rest of the value may be a secret that was put here by mistake. */
function templateError(template: string, { secrets, targets }: ServiceNames): Diagnostic | null {
  if (/[\x00-\x1f\x7f]/.test(template)) {
    return { problem: 'The value contains a line break or a control byte', fix: 'Write it on one line' }
  }
  // `checkReferences` reports `${`.
  for (const [, variable = '', argument] of template.matchAll(/(?<!\$)\{([a-z_]+)(:[^{}]*)?\}/g)) {
    const diagnostic = templateVariableError(variable, argument, secrets)
    if (diagnostic !== null) return diagnostic
    if (variable === 'url' && targets > 1) {
      return {
        problem: '`{url}` is ambiguous: this service has several targets',
        fix: 'Write one of their URLs, or use `{base_url}`',
      }
    }
  }
  return null
}

const TEMPLATE_VARIABLES = ['url', 'base_url', 'placeholder']

function templateVariableError(
  variable: string,
  argument: string | undefined,
  secrets: readonly string[],
): Diagnostic | null {
  const retired = retiredVariable(variable, argument)
  if (retired !== null) return retired
  if (variable === 'placeholder') {
    const name = argument?.slice(1) ?? ''
    if (secrets.includes(name)) return null
    const known = secrets.map((secret) => `\`{placeholder:${secret}}\``).join(' or ')
    return {
      problem: `${quote(`{placeholder:${name}}`)} is not a secret of this service's credential`,
      fix: known === '' ? 'Add a `credential` to the service first' : `Write ${known}`,
    }
  }
  if (TEMPLATE_VARIABLES.includes(variable) && argument === undefined) return null
  const near = nearest(variable, TEMPLATE_VARIABLES)
  return {
    problem: `Unknown variable ${quote(`{${variable}}`)}`,
    fix:
      near === null || near === variable || near === 'placeholder'
        ? 'Use `{url}`, `{base_url}` or `{placeholder:NAME}`'
        : `Write \`{${near}}\``,
  }
}
