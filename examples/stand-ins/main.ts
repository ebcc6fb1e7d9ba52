import { createAuthority } from './certificate-authority.js'
import { startAttacker } from './attacker.js'
import { startEcho } from './echo.js'
import { startJira } from './jira.js'
import { startLlm } from './llm.js'
import type { Order, Report } from './messages.js'
import { NAMES } from '../demo/names.js'

/**
 * The outside world of the demo, in a process of its own: it shares nothing with the gate but the network. It ends with
 * the process that forked it, however that ends.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// Ctrl-C reaches the whole foreground group; what was recorded must outlive it until the parent lets go.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

process.once('message', (order: Order) => {
  open(order).catch((error: unknown) => {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  })
})

async function open({ secrets, unixName, addresses }: Order): Promise<void> {
  const [ours, theirs] = await Promise.all([createAuthority('Demo CA'), createAuthority('Another CA')])
  const [jira, llm, echo, attacker] = await Promise.all([
    startJira(await ours.issue([NAMES.jira]), secrets.JIRA_TOKEN),
    startLlm(await ours.issue([NAMES.llm]), secrets.LLM_API_KEY),
    startEcho(await ours.issue([NAMES.echo, NAMES.tunnel, NAMES.assets]), secrets.ECHO_TOKEN),
    startAttacker(
      await theirs.issue([NAMES.attacker, NAMES.impostor, NAMES.jira, NAMES.llm, NAMES.echo, NAMES.tunnel]),
      addresses,
      unixName,
    ),
  ])
  process.on('message', () => {
    report({
      kind: 'records',
      records: { jira: jira.records, llm: llm.records, echo: echo.records, attacker: attacker.records },
    })
  })
  report({
    kind: 'ready',
    ca: ours.pem,
    ports: {
      jira: jira.port,
      llm: llm.port,
      echo: echo.port,
      attacker: attacker.port,
      attackerDns: attacker.dnsPort,
    },
  })
}

function report(message: Report): void {
  process.send?.(message)
}
