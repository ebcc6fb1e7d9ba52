import { testTools } from './clients/tools/test-tools.js'

testTools('package manager', 0, 3)
