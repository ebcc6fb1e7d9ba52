import { randomBytes } from 'node:crypto'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { writeBrief } from '../demo/briefing.js'
import { NAMES } from '../demo/names.js'
import { recordsDuring } from '../demo/records-during.js'
import { makeMarker, makeSecrets, secretPatternsOf } from '../demo/secrets.js'
import { createCa } from '../servers/certificate-authority.js'
import { launchMockServices } from '../servers/launch.js'
import type { InsideReport } from './brief.js'
import { ATTACKS } from './index.js'
import { startNaiveGateway } from './naive-gateway.js'
import { evaluateRow } from './row.js'

/** Rows that a gateway alone can stop. The others need a sandbox, and would harm the test machine. */
const GATEWAY_ROWS = [
  'credential-environment',
  'exfil-transparent',
  'exfil-explicit',
  'exfil-routes',
  'host-loopback',
  'dns-resolver',
  'dns-wildcard',
  'host-mismatch',
  'redirect',
  'rebinding',
  'impostor',
  'plain-http',
  'reflected-credential',
  'reflected-websocket',
  'path-escape',
  'method-not-allowed',
  'request-smuggling',
]
  .flatMap((id) => [id, `${id}-h2`])
  .filter((id) => ATTACKS.some((row) => row.id === id))

await t.test('with a naive gateway, every attack works and every check reports it', async (t) => {
  const secrets = makeSecrets()
  const knownSecrets = secretPatternsOf(secrets)
  const unixName = `egress-test-${randomBytes(8).toString('hex')}`
  const world = await launchMockServices({ secrets, unixName, addresses: {} })
  t.teardown(() => world.close())
  const identity = await (await createCa('Naive CA')).issue([NAMES.jira])
  const gateway = await startNaiveGateway(identity, world.ports, secrets)
  t.teardown(() => gateway.close())
  const directory = await mkdtemp(join(tmpdir(), 'egress-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))

  const markers = Object.fromEntries(GATEWAY_ROWS.map((id) => [id, makeMarker()]))
  const brief = writeBrief({
    ...{
      rows: GATEWAY_ROWS,
      listeners: gateway.listeners,
      markers,
      knownSecrets,
      unixName,
      ports: world.ports,
      ca: world.ca,
    },
    ...{ decoy: { file: 'decoy.txt', text: makeMarker() }, since: Date.now(), hidden: [] },
  })
  await writeFile(join(directory, 'brief.json'), JSON.stringify(brief))
  const script = fileURLToPath(new URL('./inside/main.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, 'brief.json'], {
    ...{ cwd: directory, maxBuffer: 1 << 26, env: { ...secrets } },
  })
  const reports = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as InsideReport)
  t.strictSame(
    reports.map(({ row }) => row),
    GATEWAY_ROWS,
  )
  const whole = await world.records()
  for (const inside of reports) {
    const row = ATTACKS.find(({ id }) => id === inside.row)
    if (row === undefined) throw new Error(`no row ${inside.row}`)
    const evaluated = evaluateRow(row, {
      ...{ inside, whole, during: recordsDuring(whole, inside.attack), output: stdout, knownSecrets },
      marker: { name: 'the data', value: markers[row.id] ?? '', prefix: '' },
      host: { damage: [], workFiles: [] },
    })
    t.equal(
      row.evaluate({
        ...{ inside, whole, during: recordsDuring(whole, inside.attack), output: stdout, knownSecrets },
        marker: { name: 'the data', value: markers[row.id] ?? '', prefix: '' },
        host: { damage: [], workFiles: [] },
      }).passed,
      false,
      `${row.id}: ${evaluated.evidence}`,
    )
    t.equal(evaluated.control.passed, true, `${row.id}, control: ${evaluated.control.evidence}`)
  }
})
