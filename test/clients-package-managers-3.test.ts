import { testTools } from './clients/tools/test-tools.js'

testTools('package manager', 2, 3)
