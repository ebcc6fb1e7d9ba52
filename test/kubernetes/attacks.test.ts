import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ATTACKS, TABLE } from '../attacks/index.js'
import type { InsideReport } from '../attacks/brief.js'
import { evaluateRow } from '../attacks/row.js'
import { listenersAt, writeBrief } from '../demo/briefing.js'
import { NAMES } from '../demo/names.js'
import { recordsDuring } from '../demo/records-during.js'
import { makeMarker, secretPatternsOf } from '../demo/secrets.js'
import { runPod } from './agent-pod.js'
import { apply, execute, NO_CLUSTER } from './cluster.js'
import { installGate } from './gate.js'

const INSIDE = fileURLToPath(new URL('../attacks/inside', import.meta.url))
const FROM_OUTSIDE = 'in the directory: '

/** A node sets the limit of processes for its pods, and this one, whose control groups are not its own, sets none. */
const NOT_HERE = ['fork-bomb']

await t.test(
  'the attack table, from inside the pod of an agent',
  { skip: NO_CLUSTER ?? false },
  async (t) => {
    const since = Date.now()
    const gate = await installGate()
    t.teardown(() => gate.close())
    const [gateway = ''] = gate.addresses
    const rows = ATTACKS.filter(({ id }) => !NOT_HERE.includes(id))
    const markers = Object.fromEntries(TABLE.map(({ id }) => [id, makeMarker()]))
    const knownSecrets = secretPatternsOf(gate.secrets)
    const decoy = { file: 'decoy.txt', text: makeMarker() }
    const brief = writeBrief({
      ...{ rows: rows.map(({ id }) => id), markers, knownSecrets, decoy, since, ca: gate.world.ca },
      ...{ listeners: listenersAt(gateway, gateway), ports: gate.world.ports, unixName: gate.unixName },
      hidden: [
        '/etc/egress/egress.yaml',
        '/etc/egress/egress.env',
        '/var/lib/egress/authority/authority.key',
      ],
    })
    const packed = await execute('sh', [
      '-c',
      'tar -C "$1" -cz --exclude=*.map . | base64 -w 0',
      'sh',
      INSIDE,
    ])
    await apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'attacks', namespace: 'agents' },
      binaryData: { 'attacks.tgz': packed.stdout },
      data: {
        'brief.json': JSON.stringify(brief),
        'decoy.txt': `${decoy.text}\n`,
        'package.json': await readFile(new URL('../../../package.json', import.meta.url), 'utf8'),
      },
    })
    const script = `
    mkdir work && cd work && tar -xzf /files/attacks.tgz && cp /files/brief.json /files/decoy.txt .
    curl -sS -o /dev/null -X POST -d '{}' https://${NAMES.llm}/v1/messages
    node main.mjs brief.json
    for name in *; do echo "${FROM_OUTSIDE}$name"; done
  `
    const { output, initOutput } = await runPod(
      {
        ...{ name: 'attacker', gateway, files: 'attacks', env: { HOME: '/work' } },
        command: ['sh', '-c', script],
      },
      900_000,
    )
    t.match(initOutput, 'is agent demo')
    const lines = output.split('\n')
    const reports = new Map(
      lines
        .filter((line) => line.startsWith('{"row"'))
        .map((line) => JSON.parse(line) as InsideReport)
        .map((report) => [report.row, report]),
    )
    if (reports.size < rows.length) t.comment(output.slice(-4_000))
    const whole = await gate.world.records()
    const workFiles = lines
      .filter((line) => line.startsWith(FROM_OUTSIDE))
      .map((line) => line.slice(FROM_OUTSIDE.length))
    for (const row of TABLE.filter(({ id }) => !NOT_HERE.includes(id))) {
      const inside = reports.get(row.id) ?? null
      const { passed, evidence, control } = evaluateRow(row, {
        ...{ inside, whole, knownSecrets, output, host: { damage: [], workFiles } },
        marker: { name: 'the data', value: markers[row.id] ?? '', prefix: '' },
        during: recordsDuring(whole, inside?.attack),
      })
      t.ok(passed, `${row.id}: ${evidence}; control: ${control.evidence}`)
    }
  },
)
