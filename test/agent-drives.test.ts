import t from 'tap'
import { driveAgent } from './clients/agents/drive-agent.js'
import { DRIVES } from './clients/agents/drives.js'
import { lacks, onNamespaces } from './clients/agents/namespaces.js'

// The agents themselves, in a terminal, against mock APIs that take the real key alone: from the first start to a changed file.

t.setTimeout(600_000)

for (const drive of DRIVES) {
  const missing = lacks(drive.name)
  void t.test(drive.name, missing === null ? {} : { skip: missing }, async (t) => {
    const stage = await onNamespaces()
    t.teardown(() => stage.close())
    const driven = await driveAgent(drive, stage)
    t.equal(driven.length, 3)
    for (const { use, problems } of driven) t.strictSame(problems, [], `${drive.name} ${use}`)
  })
}
