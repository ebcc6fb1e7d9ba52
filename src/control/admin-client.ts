#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises'
import type { AdminReply, AdminRequest } from './admin-protocol.js'
import { askAdmin } from './ask-admin.js'
import { adminSocketIn, stateDirectories } from '../common/state.js'

// Started in the gateway's container by each run and by the health check. Start-up time matters, so it only sends a request to
// the running gateway, and loads nothing else.

function readWords([action, ...args]: readonly string[]): AdminRequest | null {
  const [first = '', second = '', third = '', fourth = ''] = args
  switch (action) {
    case 'health':
    case 'list':
      return { do: action }
    case 'add':
      return { do: 'add', id: first, subnet: second, agent: third, command: fourth }
    case 'environment':
      return { do: 'environment', network: first }
    default:
      return null
  }
}

/** Milliseconds to wait for a gateway that is starting. */
const STARTUP_TIMEOUT_MS = 15_000
const PAUSE_MS = 100

async function ask(request: AdminRequest): Promise<AdminReply> {
  const until = request.do === 'health' ? 0 : Date.now() + STARTUP_TIMEOUT_MS
  for (;;) {
    const reply = await askAdmin(adminSocketIn(stateDirectories(process.env).run), request)
    if (reply !== null) return reply
    if (Date.now() >= until) break
    await sleep(PAUSE_MS)
  }
  return {
    problem: 'The gateway is not responding',
    fix: 'Check the output of `docker compose logs proxy dns`',
    exitCode: 125,
  }
}

const request = readWords(process.argv.slice(2))
if (request === null) {
  process.stderr.write('egress: Internal command. Usage: egress-admin health | list | add | environment\n')
  process.exitCode = 2
} else {
  const reply = await ask(request)
  if ('lines' in reply) {
    process.stdout.write(reply.lines.map((line) => `${line}\n`).join(''))
  } else {
    process.stderr.write(`egress: ${reply.problem}\n  ${reply.fix}\n`)
    process.exitCode = reply.exitCode
  }
}
