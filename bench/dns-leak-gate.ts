import { serveGate } from './support/gate.js'
import { tellStarter } from './support/processes.js'

// The gate of `bench:dns-leak` in a process of its own: node dns-leak-gate.js POLICY. Its resolver stands on port 53.

const { dns, http } = await serveGate(process.argv[2] ?? '', {}, 53)
tellStarter({ dns, http })
