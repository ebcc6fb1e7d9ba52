import { testTools } from './clients/tools/test-tools.js'

testTools('library', 1, 2)
