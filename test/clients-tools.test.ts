import { testTools } from './clients/tools/test-tools.js'

testTools('tool')
