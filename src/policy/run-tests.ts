import type { PolicyTest } from '#config/expectations/expectations.js'
import { PolicyError, type PolicyIssue } from '#config/issues/issue.js'
import type { DnsReason } from '#dns/replies.js'
import { isDiagnostic, type Diagnostic } from '#firewall/contracts/diagnostic.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Reason } from '#firewall/contracts/reasons.js'
import { placeOf, type PolicyOnDisk } from '../common/policy-file.js'
import { readHost, readRequest, type Question } from './question.js'
import { Verdicts } from './verdicts.js'

/** A test whose question can be asked. */
interface ReadTest {
  readonly file: PolicyTest
  readonly agent: string
  readonly question: Question
}

/** What the policy says to a question, as far as tests and logs look at it. */
export interface Answer {
  readonly verdict: 'allow' | 'deny'
  readonly reason: Reason | DnsReason | null
  /** Id of the rule or destination that decided; null if the policy does not mention what was asked. */
  readonly rule: string | null
  readonly service: string | null
  /** Id of the credential that goes along. */
  readonly credential: string | null
  /** Whether the rules look at a body that nobody told of. */
  readonly lacksDocument: boolean
}

export interface TestResult {
  /** The test in words: its own, or agent and request. */
  readonly name: string
  readonly agent: string
  readonly expect: PolicyTest['expect']
  /** Line of the test in the policy. */
  readonly line: number
  readonly answer: Answer
  /** Null if the test passes; otherwise what is wrong, and what to do. */
  readonly failure: Diagnostic | null
}

/** Runs every test of a policy. @throws PolicyError with all tests that cannot be asked */
export async function runTests(loaded: PolicyOnDisk): Promise<readonly TestResult[]> {
  const verdicts = new Verdicts(loaded.policy)
  const issues: PolicyIssue[] = []
  const results: TestResult[] = []
  for (const file of loaded.tests) {
    const test = readTest(file, loaded)
    if (isDiagnostic(test)) {
      issues.push({ file: loaded.file, ...file.position, ...test })
      continue
    }
    const answer = await answerTo(verdicts, test.agent, test.question)
    if (answer.lacksDocument) {
      const problem = 'The rules look at what this request sends to an endpoint of GraphQL'
      issues.push({
        ...{ file: loaded.file, ...file.position, problem },
        fix: 'Add what it sends, such as `body: "{ viewer { login } }"`',
      })
      continue
    }
    results.push({
      name: nameOf(test),
      agent: test.agent,
      expect: file.expect,
      line: file.position.line,
      answer,
      failure: failureOf(test, answer, loaded),
    })
  }
  if (issues.length > 0) throw new PolicyError(issues)
  return results
}

/** What the policy says to this question of this agent. */
export async function answerTo(verdicts: Verdicts, agent: string, question: Question): Promise<Answer> {
  if (question.kind === 'name') {
    const { verdict, reason, rule } = verdicts.ofName({ agent, host: question.host }).decision
    return { verdict, reason, rule, service: null, credential: null, lacksDocument: false }
  }
  const { denial, allowed, lacksDocument } = await verdicts.ofRequest({ agent, ...question })
  if (allowed === null) {
    const { reason, rule } = denial ?? { reason: 'internal', rule: null }
    return { verdict: 'deny', reason, rule, service: null, credential: null, lacksDocument }
  }
  const { destination, rule, credential } = allowed
  return {
    ...{ verdict: 'allow', reason: null, rule: rule?.id ?? destination.id },
    ...{ service: destination.service, credential, lacksDocument },
  }
}

function readTest(file: PolicyTest, { policy }: PolicyOnDisk): ReadTest | Diagnostic {
  const agents = [...policy.agents.keys()]
  const [only = DEFAULT_AGENT] = agents
  const agent = file.agent ?? (agents.length === 1 ? only : DEFAULT_AGENT)
  if (!policy.agents.has(agent))
    return {
      problem:
        file.agent === undefined
          ? 'The test names no agent, and the policy has no `default` agent'
          : `Unknown agent \`${agent}\``,
      fix: `Write \`agent:\` with one of: ${agents.join(', ')}`,
    }
  const question = questionOf(file)
  return isDiagnostic(question) ? question : { file, agent, question }
}

function questionOf({ request, dns, body }: PolicyTest): Question | Diagnostic {
  if (dns !== undefined) return readHost(dns)
  const [verb = '', url = '', ...others] = (request ?? '').trim().split(/\s+/)
  if (url === '' || others.length > 0)
    return {
      problem: '`request` is not a method, a space and a URL',
      fix: 'Write it as in `request: GET https://host/path`',
    }
  return readRequest(verb, url, body ?? null)
}

function nameOf({ file, agent }: ReadTest): string {
  return file.name ?? `${agent}: ${file.dns === undefined ? (file.request ?? '') : `dns ${file.dns}`}`
}

function failureOf({ file, agent }: ReadTest, answer: Answer, loaded: PolicyOnDisk): Diagnostic | null {
  const { expect, reason, service, credential } = file
  const asked = file.dns === undefined ? `\`${file.request ?? ''}\`` : `the name \`${file.dns}\``
  const by = answer.rule === null ? 'nothing that mentions it' : ruleAt(answer.rule, loaded)
  const said = `${asked} of agent ${agent}`
  const verdict = answer.reason === 'approval-required' ? 'ask' : answer.verdict
  if (verdict !== expect && (verdict === 'ask' || expect === 'ask'))
    return {
      problem: `Expected to ${VERBS[expect]} ${said}, ${OUTCOMES[verdict]} by ${by}`,
      fix: `Write \`expect: ${verdict}\` if that is right`,
    }
  if (verdict !== expect)
    return verdict === 'allow'
      ? {
          problem: `Expected to deny ${said}, which is allowed by ${by}`,
          fix: 'Narrow that rule, or write a `deny` rule above it',
        }
      : {
          problem: `Expected to allow ${said}, which is denied: ${answer.reason ?? ''}, by ${by}`,
          fix:
            answer.reason === 'denied-by-rule'
              ? 'Write an `allow` rule above that one, or narrow it'
              : 'Allow it in `rules` or `allow`, or write `expect: deny`',
        }
  if (reason !== undefined && reason !== answer.reason)
    return {
      problem: `Expected the reason ${reason} for ${said}, which is denied for ${answer.reason ?? ''}, by ${by}`,
      fix: `Write \`reason: ${answer.reason ?? ''}\` if that is right`,
    }
  if (service !== undefined && service !== answer.service)
    return {
      problem: `Expected service ${service} for ${said}, which is allowed by ${by}, ${answer.service === null ? 'an entry of `allow`' : `of service ${answer.service}`}`,
      fix: 'Compare `url` and `targets` of the services with the request',
    }
  const carried = answer.credential ?? 'none'
  if (credential !== undefined && credential !== carried)
    return {
      problem: `Expected credential ${credential} for ${said}, with which ${carried === 'none' ? 'no credential' : carried} goes along`,
      fix: `Write \`credential: ${carried}\` if that is right`,
    }
  return null
}

const VERBS = { allow: 'allow', deny: 'deny', ask: 'ask a person about' } as const

const OUTCOMES = {
  allow: 'which is allowed',
  deny: 'which is denied',
  ask: 'which a person must approve,',
} as const

function ruleAt(rule: string, loaded: PolicyOnDisk): string {
  return loaded.positions.has(rule) ? `${rule} (${placeOf(loaded, rule)})` : rule
}
