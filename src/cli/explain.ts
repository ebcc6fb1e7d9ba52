import { METHODS } from 'node:http'
import { parseAuthority, parseHostname } from '#firewall/names/hostname.js'
import { PolicyEngine } from '#firewall/judge/policy-engine.js'
import { ExfiltrationBudget } from '#firewall/ledger/exfiltration-budget.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import { GATEWAY_HOST, PORTS } from '../environment.js'
import { EgressError, EXIT, exitCodeOf, formatError } from '../errors.js'
import { explainName, explainRequest, type Explained } from './explain-verdict.js'
import type { CommandIo } from './io.js'
import { isNamed, noPolicy, openPolicy, type PolicyOnDisk } from './policy-file.js'

export interface ExplainArgs {
  /** `[METHOD, URL]` or `['dns', NAME]`. */
  readonly args: readonly string[]
  readonly agent?: string | undefined
  readonly policy?: string | undefined
  readonly json?: boolean | undefined
}

/**
 * `egress explain`: asks the policy engine of the gateway itself what would happen, without spending anybody's budget and without
 * a single secret.
 *
 * @returns 0 for allowed, 1 for denied, 2 for a question that cannot be asked
 */
export async function runExplain(
  { args, agent = DEFAULT_AGENT, policy, json = false }: ExplainArgs,
  io: CommandIo,
  kinds: readonly CredentialKind[],
): Promise<number> {
  try {
    const loaded = await openPolicy(policy, io, kinds, false)
    if (loaded.empty === 'missing') {
      if (isNamed(policy, io)) throw noPolicy(loaded.file)
      io.stderr.write(
        `egress: ${loaded.file} is missing, so everything is denied; \`egress init\` writes a policy\n`,
      )
    }
    const explained = explain(args, agent, loaded)
    io.stdout.write(json ? `${JSON.stringify(explained.data)}\n` : `${explained.lines.join('\n')}\n`)
    return explained.data.verdict === 'ALLOW' ? EXIT.fine : EXIT.failed
  } catch (error) {
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}

function explain(args: readonly string[], agent: string, loaded: PolicyOnDisk): Explained {
  const { policy } = loaded
  if (!policy.agents.has(agent)) {
    const names = [...policy.agents.keys()].join(', ')
    throw usage(`the policy has no agent \`${agent}\``, `name one with --agent: ${names}`)
  }
  const [first = '', second = ''] = args
  if (args.length !== 2)
    throw usage(
      args.length < 2 ? 'the question is incomplete' : 'these are more words than a question has',
      'write `egress explain GET https://host/path` or `egress explain dns host`',
    )
  const namePolicy = {
    policyEngine: new PolicyEngine(policy),
    limits: policy.dns.nameLimits,
    budget: new ExfiltrationBudget(),
  }
  const sandbox = { id: 'explain', agent }
  if (first === 'dns') return explainName({ loaded, namePolicy, sandbox, host: readHost(second) })
  return explainRequest({
    loaded,
    namePolicy,
    sandbox,
    method: readMethod(first),
    ...throughBaseUrl(policy, readUrl(second)),
  })
}

function readHost(text: string): string {
  const host = parseHostname(text)
  if (host === null)
    throw usage(
      `\`${text}\` is not a host name`,
      'write a name such as `api.example.com`; the resolver drops anything else',
    )
  return host
}

function readMethod(text: string): string {
  if (METHODS.includes(text) && text !== 'CONNECT') return text
  const upper = text.toUpperCase()
  const fix =
    METHODS.includes(upper) && upper !== 'CONNECT'
      ? `write \`${upper}\``
      : 'write a method such as `GET`, or `dns` for a look-up'
  throw usage(`\`${text}\` is not the method of a request`, fix)
}

interface Asked {
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
  readonly target: string
}

/** What a request to the base-URL listener becomes. Which of several targets it means, only its header says. */
function throughBaseUrl(policy: Policy, url: Asked): Asked {
  if (url.host !== GATEWAY_HOST || url.port !== PORTS.reverse) return url
  const [, name = '', rest = ''] = /^\/([^/?]+)(.*)$/s.exec(url.target) ?? []
  const [target, ...others] = policy.services.get(name)?.targets ?? []
  if (target === undefined || others.length > 0)
    throw usage(
      `\`${name}\` is not the name of a service with one URL`,
      'write the URL of the service itself, as `egress check` prints it',
    )
  return { ...target.origin, target: `${target.basePath}${rest.startsWith('/') ? '' : '/'}${rest}` }
}

/** Taken apart by hand, for `URL` would repair what the gateway is to check as it stands. */
function readUrl(text: string): Asked {
  const match = /^(https?):\/\/([^/?#]*)([^#]*)$/i.exec(text)
  const scheme = match?.[1]?.toLowerCase() === 'http' ? 'http' : 'https'
  const authority = parseAuthority(match?.[2] ?? '')
  if (match === null || authority === null) {
    // Not repeated: it may have a password in it.
    throw usage(
      'the URL is not one that the gateway could be asked for',
      'write `https://host/path`, with a host name and without `user@` and `#…`',
    )
  }
  const rest = match[3] ?? ''
  const target = rest.startsWith('/') ? rest : `/${rest}`
  return { scheme, host: authority.host, port: authority.port ?? (scheme === 'https' ? 443 : 80), target }
}

function usage(problem: string, fix: string): EgressError {
  return new EgressError({ code: 'EGRESS_USAGE', problem, fix })
}
