import { serveGateway } from './gateway.js'
import { tellStarter } from './processes.js'

// The gateway of `bench:dns-leak` in a process of its own: node dns-leak-gate.js POLICY. Its resolver stands on port 53.

const { dns, http } = await serveGateway(process.argv[2] ?? '', {}, 53)
tellStarter({ dns, http })
