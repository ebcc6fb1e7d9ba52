import t from 'tap'
import { driveAgent } from './drive-agent.js'
import type { AgentDrive } from './drives.js'
import { lacks, onNamespaces } from './namespaces.js'

/** The agents themselves, in a terminal, against mock APIs that take the real key alone: from the first start to a changed file. */
export function testDrives(drives: readonly AgentDrive[]): void {
  t.setTimeout(600_000)
  for (const drive of drives) {
    const missing = lacks(drive.name)
    void t.test(drive.name, missing === null ? {} : { skip: missing }, async (t) => {
      const stage = await onNamespaces()
      t.teardown(() => stage.close())
      const driven = await driveAgent(drive, stage)
      t.equal(driven.length, 3)
      for (const { use, problems } of driven) t.strictSame(problems, [], `${drive.name} ${use}`)
    })
  }
}
