import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { keysOf, verdict, workspaceOf } from './fixtures/verify-log.js'

// What a gateway leaves that is killed.

t.setTimeout(600_000)

/** A gateway's log under load, which says of each request that it was answered. */
const WRITER = (directory: string, keys: string, gateway: string) => `
  import { writeSync } from 'node:fs'
  import { Audit } from ${JSON.stringify(new URL('../src/audit/audit.js', import.meta.url).href)}
  import { openAuditKey } from ${JSON.stringify(new URL('../src/audit/audit-key.js', import.meta.url).href)}
  import { connectionDecision } from ${JSON.stringify(new URL('../proxy/records/connection-decision.js', import.meta.url).href)}
  const audit = new Audit({ directory: ${JSON.stringify(directory)}, gateway: ${JSON.stringify(gateway)}, now: Date.now,
    onChange: console.error, key: openAuditKey(${JSON.stringify(keys)}) })
  const binding = { listener: 'forward', sandbox: { id: 'sb', agent: 'a' }, peer: { address: '10.0.0.2', port: 1 },
    host: 'a.example', scheme: 'https', port: 443 }
  let count = 0
  process.once('SIGTERM', () => { audit.end(); process.exit(0) })
  const answer = async () => {
    const id = '${gateway}-' + String(count++)
    await audit.decide(connectionDecision(binding, { at: Date.now(), id, kind: 'connect' }))
    writeSync(1, id + '\\n')
    audit.close({ at: Date.now(), id, sandbox: binding.sandbox, host: null, service: null, credential: null, outcome: 'success', reason: null, detail: null,
      status: 200, requestBytes: 0, responseBytes: 0, durationMs: 1, redactions: [] })
    setImmediate(answer)
  }
  for (let i = 0; i < 8; i++) void answer()`

const KILLS = 200

void t.test('killed at any moment: what was answered is in the log, and the log is whole', async (t) => {
  const workspace = workspaceOf(t)
  const answered: string[] = []
  for (let round = 0; round <= KILLS; round += 1) {
    const program = WRITER(workspace.auditDir, keysOf(workspace), `g${String(round)}`)
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 30))
    child.kill(round === KILLS ? 'SIGTERM' : 'SIGKILL')
    await once(child, 'close')
    answered.push(...said.split('\n').slice(0, -1))
  }
  const log = readFileSync(join(workspace.auditDir, 'http.ndjson'), 'utf8')
  const recorded = new Set(
    Array.from(log.matchAll(/"http-connect".*?"request":\{"id":"([^"]+)"/g), ([, id]) => id),
  )
  const missing = answered.filter((id) => !recorded.has(id))
  t.strictSame(missing, [], `${String(answered.length)} were answered`)
  const { code, stdout } = await workspace.run(['logs', 'verify'])
  t.equal(code, 0, stdout)
  t.match(stdout, new RegExp(`${String(KILLS)} times a gateway stopped without ending its log`))
  t.equal(await verdict(t, workspace), 0)
})
