import type { Order, Report } from './messages.js'
import { startMockServices } from './start.js'

/**
 * The outside world of the demo, in its own process: it shares only the network with the gateway. It ends with its parent
 * process, however that ends.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// Ctrl-C reaches the whole foreground group, but the records must stay available until the parent exits.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

process.once('message', (order: Order) => {
  open(order).catch((error: unknown) => {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  })
})

async function open(order: Order): Promise<void> {
  const { ca, jira, llm, echo, attacker } = await startMockServices(order)
  process.on('message', () => {
    report({
      kind: 'records',
      records: { jira: jira.records, llm: llm.records, echo: echo.records, attacker: attacker.records },
    })
  })
  report({
    kind: 'ready',
    ca,
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
