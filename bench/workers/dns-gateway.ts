import { tellStarter } from './processes.js'
import { serveGateway } from './gateway.js'

// The gateway of `bench:dns`, in its own process: node dns-gateway.js NAME…

const [role = '', ...names] = process.argv.slice(2)
const allow = names.map((name) => `  - host: ${name}\n`)
const rate = '{ per_second: 1000000, burst: 1000000 }'
const gateway = await serveGateway(
  `dns: { rate: ${rate} }\nallow:\n${allow.join('')}`,
  {},
  0,
  role === 'serve',
)
tellStarter(gateway.dns)
