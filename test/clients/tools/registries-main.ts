import { readFileSync } from 'node:fs'
import { serveRegistries, type RegistriesOrder } from './registries.js'

// The registries in a process of their own, as their file says; each request is a line on standard output.

const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as RegistriesOrder
process.on('SIGTERM', () => process.exit())
await serveRegistries(order, (arrived) => console.log(JSON.stringify(arrived)))
console.log('ready')
