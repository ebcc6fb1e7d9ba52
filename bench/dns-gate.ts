import { tellStarter } from './support/processes.js'
import { serveGate } from './support/gate.js'

// The gate of `bench:dns` in a process of its own: node dns-gate.js NAME…

const allow = process.argv.slice(2).map((name) => `  - host: ${name}\n`)
const rate = '{ per_second: 1000000, burst: 1000000 }'
const gate = await serveGate(`dns: { rate: ${rate} }\nallow:\n${allow.join('')}`, {})
tellStarter(gate.dns)
