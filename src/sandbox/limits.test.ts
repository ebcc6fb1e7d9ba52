import t from 'tap'
import { parseLimits } from './limits.js'

void t.test('defaults and overrides', (t) => {
  const defaults = parseLimits([])
  t.strictSame(defaults, {
    processes: 512,
    memoryBytes: 4 * 2 ** 30,
    tmpBytes: 2 * 2 ** 30,
    openFiles: 4096,
    processors: null,
  })
  for (const [text, field, value] of [
    ['memory=2g', 'memoryBytes', 2 ** 31],
    ['memory=512m', 'memoryBytes', 2 ** 29],
    ['tmp=1024k', 'tmpBytes', 2 ** 20],
    ['processes=100', 'processes', 100],
    ['files=1', 'openFiles', 1],
    ['MEMORY=1G', 'memoryBytes', 2 ** 30],
    ['cpus=2', 'processors', 2],
    ['cpus=0.5', 'processors', 0.5],
  ] as const)
    t.strictSame(parseLimits([text]), { ...defaults, [field]: value }, text)
  t.match(
    parseLimits(['memory=1g', 'files=9', 'memory=2g']),
    { memoryBytes: 2 ** 31, openFiles: 9 },
    'the last value wins',
  )
  t.strictSame(parseLimits([]), defaults, 'the defaults are not changed')
  t.end()
})

void t.test('memory has a minimum', (t) => {
  t.throws(() => parseLimits(['memory=1k']), { code: 'EGRESS_USAGE', fix: /memory=6m/ })
  t.equal(parseLimits(['memory=6m']).memoryBytes, 6 * 2 ** 20)
  t.end()
})

void t.test('invalid limits', (t) => {
  for (const text of [
    '',
    'memory',
    'memory=',
    '=1g',
    'memory=0',
    'memory=0g',
    'memory=-1',
    'memory=1.5g',
    'memory=1t',
    'memory=1gb',
    'memory= 1g',
    'memory=1g ',
    'memory=1g\n',
    'memory=0x10',
    'memory=1e9',
    'memory=\u0661',
    'memory=9999999999999',
    'memory=999999999999g',
    'cpu=1',
    'cpus=0',
    'cpus=1m',
    'cpus=.',
    'memorybytes=1',
    'constructor=1',
    '__proto__=1',
    'tostring=1',
  ]) {
    t.throws(
      () => parseLimits([text]),
      { code: 'EGRESS_USAGE', exitCode: 125, fix: /processes, memory, tmp, files/ },
      JSON.stringify(text),
    )
  }
  t.end()
})
