import { serveGateway } from './gateway.js'
import { tellStarter } from './processes.js'

// The gateway of `bench:dns-exfiltration`, in its own process: node dns-exfiltration-gateway.js POLICY [PORT OF THE RESOLVER].

const { dns, http, https } = await serveGateway(process.argv[2] ?? '', {}, Number(process.argv[3] ?? 53))
tellStarter({ dns, http, https })
