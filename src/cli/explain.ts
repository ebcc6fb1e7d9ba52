import { METHODS } from 'node:http'
import { defaultPort } from '#firewall/names/default-port.js'
import { parseAuthority, parseHostname } from '#firewall/names/hostname.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import { EgressError, EXIT, exitCodeOf, formatError } from '../common/errors.js'
import { explainName, explainRequest, type Explained } from './explain-verdict.js'
import type { CommandIo } from '../common/io.js'
import { isNamed, noPolicy, openPolicy, type PolicyOnDisk } from '../common/policy-file.js'

export interface ExplainArgs {
  /** `[METHOD, URL]`, `['grpc', URL]`, `['graphql', URL, DOCUMENT]` or `['dns', NAME]`. */
  readonly args: readonly string[]
  readonly agent?: string | undefined
  readonly policy?: string | undefined
  readonly json?: boolean | undefined
}

/**
 * `egress explain`: runs the steps of the gateway itself, up to the first one with an effect. It charges no budget and reads
 * no secret.
 *
 * @returns 0 if allowed, 1 if denied, 2 if the arguments or the policy are invalid
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
        `egress: ${loaded.file} not found, so everything is denied. Create a policy with \`egress init\`\n`,
      )
    }
    const explained = await explain(args, agent, loaded)
    io.stdout.write(json ? `${JSON.stringify(explained.data)}\n` : `${explained.lines.join('\n')}\n`)
    return explained.data.verdict === 'ALLOW' ? EXIT.fine : EXIT.failed
  } catch (error) {
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}

async function explain(args: readonly string[], agent: string, loaded: PolicyOnDisk): Promise<Explained> {
  const { policy } = loaded
  if (!policy.agents.has(agent)) {
    const names = [...policy.agents.keys()].join(', ')
    throw usage(`Unknown agent \`${agent}\``, `Choose one with --agent: ${names}`)
  }
  const [first = '', second = '', document = null] = args
  if (args.length !== (first === 'graphql' ? 3 : 2))
    throw usage(
      args.length < 2 || first === 'graphql' ? 'Missing argument' : 'Too many arguments',
      'Use `egress explain GET https://host/path`, `egress explain grpc https://host/pkg.Service/Method`, `egress explain graphql https://host/graphql "{ field }"` or `egress explain dns host`',
    )
  if (first === 'dns') return explainName({ loaded, agent, host: readHost(second) })
  if (first === 'grpc')
    return explainRequest({ loaded, agent, method: 'POST', isGrpc: true, document: null, ...readUrl(second) })
  if (first === 'graphql')
    return explainRequest({ loaded, agent, method: 'POST', isGrpc: false, document, ...readUrl(second) })
  return explainRequest({
    loaded,
    agent,
    method: readMethod(first),
    isGrpc: false,
    document: null,
    ...readUrl(second),
  })
}

function readHost(text: string): string {
  const host = parseHostname(text)
  if (host === null)
    throw usage(
      `Invalid host name \`${text}\``,
      'Use a name such as `api.example.com`; the resolver rejects anything else',
    )
  return host
}

function readMethod(text: string): string {
  if (METHODS.includes(text) && text !== 'CONNECT') return text
  const upper = text.toUpperCase()
  const fix =
    METHODS.includes(upper) && upper !== 'CONNECT'
      ? `Use \`${upper}\``
      : 'Use a method such as `GET`, `grpc` or `graphql` for a call, or `dns` for a DNS name'
  throw usage(`Unknown method \`${text}\``, fix)
}

interface ParsedUrl {
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
  readonly target: string
}

/** Not parsed with `URL`, which would normalise the text that the gateway must check unchanged. */
function readUrl(text: string): ParsedUrl {
  const match = /^(https?):\/\/([^/?#]*)([^#]*)$/i.exec(text)
  const scheme = match?.[1]?.toLowerCase() === 'http' ? 'http' : 'https'
  const authority = parseAuthority(match?.[2] ?? '')
  if (match === null || authority === null) throw unreadableUrl(text)
  const rest = match[3] ?? ''
  const target = rest.startsWith('/') ? rest : `/${rest}`
  return { scheme, host: authority.host, port: authority.port ?? defaultPort(scheme), target }
}

/** Does not print the URL: it may contain a password. */
function unreadableUrl(text: string): EgressError {
  if (text.startsWith('/'))
    return usage('The URL has no host', 'Use the whole URL, such as `https://host/path`')
  if (!/^https?:\/\//i.test(text))
    return usage('The URL does not start with https:// or http://', 'Use a URL such as `https://host/path`')
  if (text.includes('#')) return usage('The URL has a fragment', 'Remove `#` and what follows it')
  if (/^[^/]*\/\/[^/?]*@/.test(text)) return usage('The URL has a user name', 'Remove everything up to `@`')
  return usage('The URL has no valid host name', 'Use `https://host/path` or `https://host:port/path`')
}

function usage(problem: string, fix: string): EgressError {
  return new EgressError({ code: 'EGRESS_USAGE', problem, fix })
}
