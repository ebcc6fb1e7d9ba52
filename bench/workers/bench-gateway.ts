import { readFileSync } from 'node:fs'
import { serveGateway } from './gateway.js'
import { tellStarter } from './processes.js'

// The gateway as `egress serve` runs it: node bench-gateway.js POLICY

const [file = ''] = process.argv.slice(2)
const env = { API_TOKEN: 'ghp_TokenOfTheBenchmark0123456789abcdefgh' }
tellStarter(await serveGateway(readFileSync(file, 'utf8'), env, 0, true))
