import { serveGateway } from './gateway.js'
import { tellStarter } from './processes.js'

// The gateway of `bench:dns-exfiltration`, in its own process: node dns-exfiltration-gateway.js POLICY. Its resolver uses port 53.

const { dns, http } = await serveGateway(process.argv[2] ?? '', {}, 53)
tellStarter({ dns, http })
