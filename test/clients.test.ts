import { userInfo } from 'node:os'
import t from 'tap'
import { runClients } from './clients/run-clients.js'

await t.test(
  `real clients, unmodified, with mock servers alone (as ${userInfo().username})`,
  { timeout: 1_200_000 },
  async (t) => {
    const rows = await runClients(new AbortController().signal)
    t.equal(rows.length, 10)
    for (const { client, received, saw, control, passed, missing } of rows) {
      if (missing.length > 0) t.pass(client, { skip: saw })
      else t.ok(passed, `${client}: ${received}; saw ${saw}; control ${control}`)
    }
  },
)
