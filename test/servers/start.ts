import { createCa } from './certificate-authority.js'
import { startAttacker, type Attacker } from './attacker.js'
import { startEcho } from './echo.js'
import { startJira } from './jira.js'
import { startLlm } from './llm.js'
import type { Order } from './messages.js'
import type { RequestRecord, Placeholder } from './records.js'
import { NAMES } from '../demo/names.js'

export interface Placeholders {
  /** PEM of the CA that issued their certificates. */
  readonly ca: string
  readonly jira: Placeholder<RequestRecord>
  readonly llm: Placeholder<RequestRecord>
  readonly echo: Placeholder<RequestRecord>
  readonly attacker: Attacker
}

/** Starts all of them in this process. */
export async function startMockServices({
  secrets,
  unixName,
  addresses,
  host,
  dnsHost,
}: Order): Promise<Placeholders> {
  const [ours, theirs] = await Promise.all([createCa('Demo CA'), createCa('Another CA')])
  const [jira, llm, echo, attacker] = await Promise.all([
    startJira(await ours.issue([NAMES.jira]), secrets.JIRA_TOKEN, host),
    startLlm(await ours.issue([NAMES.llm]), secrets.LLM_API_KEY, host),
    startEcho(await ours.issue([NAMES.echo, NAMES.tunnel, NAMES.assets]), secrets.ECHO_TOKEN, host),
    startAttacker(
      await theirs.issue([NAMES.attacker, NAMES.impostor, NAMES.jira, NAMES.llm, NAMES.echo, NAMES.tunnel]),
      addresses,
      unixName,
      host,
      dnsHost,
    ),
  ])
  return { ca: ours.pem, jira, llm, echo, attacker }
}
