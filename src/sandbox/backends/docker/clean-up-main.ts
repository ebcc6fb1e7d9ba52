import { cleanUp, type CleanUpOrder } from './clean-up.js'
import { LocalHost } from './local-host.js'

// What is left to do after a run has ended, in a process that nobody waits for.

await cleanUp(new LocalHost(), JSON.parse(process.argv[2] ?? '') as CleanUpOrder)
