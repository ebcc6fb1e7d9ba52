import { cleanUp, type CleanUpOrder } from './clean-up.js'
import { LocalHost } from './local-host.js'

// Cleans up after a run, in a background process.

await cleanUp(new LocalHost(), JSON.parse(process.argv[2] ?? '') as CleanUpOrder)
