import { DRIVES } from './clients/agents/drives.js'
import { testDrives } from './clients/agents/test-drives.js'

// In a file of its own, since a file of tests has its time.
testDrives(DRIVES.filter(({ name }) => name === 'aider'))
