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
import { makeMarker, makeSecrets, needlesOf } from '../demo/secrets.js'
import { createAuthority } from '../stand-ins/certificate-authority.js'
import { launchStandIns } from '../stand-ins/launch.js'
import type { InsideReport } from './brief.js'
import { ATTACKS } from './index.js'
import { startNaiveGate } from './naive-gate.js'
import { judgeRow } from './row.js'

/** Rows that a gate alone can stop. The others need a sandbox, and would harm the machine that tests them. */
const GATE_ROWS = [
  'credential-environment',
  'exfil-transparent',
  'exfil-explicit',
  'exfil-routes',
  'host-loopback',
  'dns-resolver',
  'dns-wildcard',
  'identity-mismatch',
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

await t.test(
  'without a gate that deserves the name, every attack works and every judge says so',
  async (t) => {
    const secrets = makeSecrets()
    const needles = needlesOf(secrets)
    const unixName = `egress-test-${randomBytes(8).toString('hex')}`
    const world = await launchStandIns({ secrets, unixName, addresses: {} })
    t.teardown(() => world.close())
    const identity = await (await createAuthority('Naive CA')).issue([NAMES.jira])
    const gate = await startNaiveGate(identity, world.ports, secrets)
    t.teardown(() => gate.close())
    const directory = await mkdtemp(join(tmpdir(), 'egress-test-'))
    t.teardown(() => rm(directory, { recursive: true, force: true }))

    const markers = Object.fromEntries(GATE_ROWS.map((id) => [id, makeMarker()]))
    const brief = writeBrief({
      ...{ rows: GATE_ROWS, doors: gate.doors, markers, needles, unixName, ports: world.ports, ca: world.ca },
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
      GATE_ROWS,
    )
    const whole = await world.records()
    for (const inside of reports) {
      const row = ATTACKS.find(({ id }) => id === inside.row)
      if (row === undefined) throw new Error(`no row ${inside.row}`)
      const judged = judgeRow(row, {
        ...{ inside, whole, during: recordsDuring(whole, inside.attack), output: stdout, needles },
        marker: { name: 'the data', value: markers[row.id] ?? '', prefix: '' },
        host: { damage: [], workFiles: [] },
      })
      t.equal(
        row.judge({
          ...{ inside, whole, during: recordsDuring(whole, inside.attack), output: stdout, needles },
          marker: { name: 'the data', value: markers[row.id] ?? '', prefix: '' },
          host: { damage: [], workFiles: [] },
        }).held,
        false,
        `${row.id}: ${judged.evidence}`,
      )
      t.equal(judged.twin.held, true, `${row.id}, twin: ${judged.twin.evidence}`)
    }
  },
)
