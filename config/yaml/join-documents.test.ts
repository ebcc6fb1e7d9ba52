import t from 'tap'
import { readYaml } from './yaml-source.js'

/** The value of a file, and the problems found in it. */
function read(...documents: readonly string[]): { value: unknown; problems: readonly string[] } {
  const { value, issues } = readYaml('egress.yaml', documents.join('---\n'))
  return { value, problems: issues.sorted().map(({ line, problem }) => `${String(line)}: ${problem}`) }
}

void t.test('later documents go on with sections and lists', (t) => {
  const { value, problems } = read(
    'services:\n  a: { url: u, rules: [1], extra_rules: [x] }\nagents: { ci: { services: [a], rules: { a: [r] } } }\n',
    '# a comment\nallow: [p]\n',
    'services:\n  a: { rules: [2, 3], extra_rules: [y] }\n  b: { url: v }\nallow: [q]\nagents: { ci: { services: [b], allow: [q], rules: { a: [s], b: [t] } }, other: {} }\n',
    '',
  )
  t.same(problems, [])
  t.same(value, {
    services: { a: { url: 'u', rules: [1, 2, 3], extra_rules: ['x', 'y'] }, b: { url: 'v' } },
    agents: {
      ci: { services: ['a', 'b'], rules: { a: ['r', 's'], b: ['t'] }, allow: ['q'] },
      other: {},
    },
    allow: ['p', 'q'],
  })
  t.end()
})

void t.test('nothing is chosen between two values', (t) => {
  for (const [first, second, key] of [
    ['dns: { max_length: 1 }\n', 'dns: { max_label: 1 }\n', 'dns'],
    [
      'services: { a: { credential: { bearer: x } } }\n',
      'services: { a: { credential: { inject: y } } }\n',
      'credential',
    ],
    ['agents: { ci: { services: all } }\n', 'agents: { ci: { services: [a] } }\n', 'services'],
    ['allow: [a]\n', 'allow: { b: c }\n', 'allow'],
    ['allow: [a]\n', 'allow:\n', 'allow'],
  ] as const) {
    const { problems } = read(first, second)
    t.same(problems, [`3: Duplicate key \`${key}\`: an earlier document of this file has it`], key)
  }
  t.end()
})

void t.test('empty documents say nothing', (t) => {
  t.same(read('', 'allow: [a]\n'), { value: { allow: ['a'] }, problems: [] })
  t.same(read('# only a comment\n', 'allow: [a]\n', '# the end\n').value, { allow: ['a'] })
  t.same(read('', ''), { value: undefined, problems: [] })
  t.same(read('allow: [a]\n...\n').value, { allow: ['a'] })
  t.end()
})

void t.test('what policies must not use is found in every document', (t) => {
  for (const text of ['b: &x 1\n', 'b: *x\n', 'b: !tag 1\n', '__proto__: 1\n', 'b: 1\nb: 2\n', '{\n'])
    t.equal(read('a: 1\n', text).problems.length, 1, text)
  t.end()
})
