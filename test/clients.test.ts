import { userInfo } from 'node:os'
import t from 'tap'
import { missingClients, runClients } from '#examples/clients/run-clients.js'

const missing = missingClients()
const skip = missing.length === 0 ? false : `without ${missing.join(', ')}`

await t.test(
  `real clients, unmodified, with stand-ins alone (as ${userInfo().username})`,
  { skip, timeout: 300_000 },
  async (t) => {
    const rows = await runClients(new AbortController().signal)
    t.equal(rows.length, 8)
    for (const row of rows) t.ok(row.held, `${row.client}: ${row.received}; saw ${row.saw}; twin ${row.twin}`)
  },
)
