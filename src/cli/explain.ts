import type { CredentialKind } from '#firewall/contracts/credential.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { EXIT, exitCodeOf, formatError, usage } from '../common/errors.js'
import { explainName, explainRequest, type Explained } from './explain-verdict.js'
import type { CommandIo } from '../common/io.js'
import { isNamed, noPolicy, openPolicy, type PolicyOnDisk } from '../common/policy-file.js'
import { readHost, readRequest } from '../policy/question.js'

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
  const question = first === 'dns' ? readHost(second) : readRequest(first, second, document)
  if (isDiagnostic(question)) throw usage(question.problem, question.fix)
  return question.kind === 'name'
    ? explainName({ loaded, agent, host: question.host })
    : explainRequest({ loaded, agent, ...question })
}
