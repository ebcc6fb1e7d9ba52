import t from 'tap'
import { driveAgent } from './clients/agents/drive-agent.js'
import { onDocker } from './clients/agents/docker.js'
import { DRIVES } from './clients/agents/drives.js'
import { lacks } from './clients/agents/namespaces.js'
import { skipWithoutDocker } from './fixtures/docker.js'

// The agents themselves, in the images that are built for them: as agent-drives.test.ts, on Docker.

t.setTimeout(1_100_000)

const missing = skipWithoutDocker() || lacks('tmux') || false

void t.test('agents on Docker', { skip: missing }, async (t) => {
  const stage = await onDocker()
  t.teardown(() => stage.close())
  for (const drive of DRIVES.filter(({ notOnDocker }) => notOnDocker === null)) {
    const driven = await driveAgent(drive, stage)
    t.equal(driven.length, 3)
    for (const { use, problems } of driven) t.strictSame(problems, [], `${drive.name} ${use}`)
  }
})
