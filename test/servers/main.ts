import type { Order, Report } from './messages.js'
import { startMockServices } from './start.js'

/**
 * The outside world of the demo, in a process of its own: it shares nothing with the gateway but the network. It ends with
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
