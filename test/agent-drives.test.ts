import { DRIVES } from './clients/agents/drives.js'
import { testDrives } from './clients/agents/test-drives.js'

testDrives(DRIVES.filter(({ name }) => name !== 'aider'))
