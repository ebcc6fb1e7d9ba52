import type { Records } from '../servers/messages.js'
import type { Finding } from '../attacks/row.js'
import type { SandboxResult } from './product.js'

/** Whether the example agent did its work, according to the requests that the services received. */
export function evaluateAgent(
  { exitCode }: Pick<SandboxResult, 'exitCode'>,
  { jira, llm }: Records,
): Finding {
  const authorised = (records: Records['jira']): number =>
    records.filter(({ credential }) => credential === 'real').length
  const evidence = `exit ${exitCode}; ${authorised(jira)} Jira and ${authorised(llm)} LLM requests with the real credential`
  const created = jira.some(({ method, credential }) => method === 'POST' && credential === 'real')
  const foreign = [...jira, ...llm].some(({ credential }) => credential !== 'real')
  return { passed: exitCode === 0 && created && authorised(llm) > 0 && !foreign, evidence }
}
