import { readFileSync } from 'node:fs'
import { serveModelApis, type ModelOrder } from './start.js'

// The mock APIs in a process of their own, as their file says; each request is a line on standard output.

const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ModelOrder
process.on('SIGTERM', () => process.exit())
await serveModelApis(order, (asked) => console.log(JSON.stringify(asked)))
console.log('ready')
