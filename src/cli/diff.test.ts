import fc from 'fast-check'
import t from 'tap'
import { loadPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { testIo } from '#test/fixtures/command-io.js'
import { Verdicts } from '../policy/verdicts.js'
import { runDiff } from './diff.js'

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function diff(cwd: string, before: string, after: string, json = false): Promise<Ran> {
  const dir = writeFiles(cwd, { 'a.yaml': before, 'b.yaml': after })
  const { io, out, err } = testIo(dir)
  const code = await runDiff({ before: 'a.yaml', after: 'b.yaml', json }, io, CREDENTIAL_KINDS)
  return { code, out: out(), err: err() }
}

const service = (rules: string, more = '') =>
  `services:\n  api:\n    url: https://api.example.com\n    rules: [${rules}]\n${more}`

void t.test('policies that mean the same', async (t) => {
  const cwd = t.testdir({})
  for (const [a, b] of [
    [
      'allow: [{ host: a.example }, { host: b.example }]\n',
      '# text\nallow:\n- host: "b.example"\n- { host: a.example }\n',
    ],
    [service('{ allow: GET /a }, { allow: GET /b }'), service('{ allow: GET /b }, { allow: GET /a }')],
    [service('{ allow: "GET,HEAD /a" }'), service('{ allow: HEAD /a }, { allow: GET /a }')],
    [
      service('{ deny: GET /a/x }, { allow: GET /a/* }'),
      service('{ deny: GET /a/x }, { deny: GET /b }, { allow: GET /a/* }'),
    ],
    [
      'allow: [{ host: a.example, methods: [GET], paths: [/x, /y] }]\n',
      'allow: [{ host: a.example, methods: [GET], paths: [/y] }]\n---\nallow: [{ host: a.example, methods: [GET], paths: [/x] }]\n',
    ],
    [
      'allow: [{ host: a.example }]\n',
      'allow: [{ host: a.example }]\ntests: [{ dns: a.example, expect: allow }]\n',
    ],
    [
      service('{ allow: GET /a }', '    credential: { bearer: "${TOKEN}" }\n'),
      service('{ allow: GET /a }', '    credential: { bearer: { token: "${TOKEN}" } }\n'),
    ],
  ] as const) {
    const { code, out, err } = await diff(cwd, a, b)
    t.equal(out + err, 'a.yaml and b.yaml mean the same\n')
    t.equal(code, 0)
  }
})

void t.test('what changes, in words', async (t) => {
  const cwd = t.testdir({})
  for (const [a, b, ...said] of [
    [
      service('{ allow: GET /a }'),
      service('{ allow: "GET,POST /a" }'),
      /^Allows what was denied:\n {2}default: POST at https:\/\/api\.example\.com, such as https:\/\/api\.example\.com\/a; by services\.api\.rules\[0\] \(b\.yaml:4\)/,
    ],
    [
      service('{ allow: GET /** }'),
      service('{ deny: GET /x/* }, { allow: GET /** }'),
      /^Denies what was allowed:\n.*GET.*such as https:\/\/api\.example\.com\/x\/egress-diff/,
    ],
    [
      service('{ deny: GET /a* }, { allow: GET /** }'),
      service('{ allow: GET /*b }, { deny: GET /a* }, { allow: GET /** }'),
      /^Allows what was denied:\n.*\/aegress-diffb/,
    ],
    [
      'allow: [{ host: a.example }]\n',
      'allow: [{ host: "*.a.example" }]\n',
      /Allows what was denied:\n.*at https:\/\/\*\.a\.example/,
      /Denies what was allowed:\n.*at https:\/\/a\.example/,
    ],
    [
      'allow: [{ host: "*.a.example" }]\n',
      'allow: [{ host: "*.a.example" }, { host: x.a.example, methods: [GET] }]\n',
      /Denies what was allowed:\n.*POST.* at https:\/\/x\.a\.example/,
    ],
    [
      'allow: [{ host: a.example }]\n',
      'allow: [{ host: a.example, ports: [443, 8443] }]\n',
      /Allows what was denied:\n.*at https:\/\/a\.example:8443/,
    ],
    [
      'allow: [{ host: a.example }]\nagents: { x: { allow: all }, y: {} }\n',
      'allow: [{ host: a.example }]\nagents: { x: { allow: all }, y: { allow: all } }\n',
      /Allows what was denied:\n {2}y: /,
    ],
    [
      service('{ allow: GET /a }'),
      service('{ allow: GET /a }', '    credential: { bearer: "${TOKEN}" }\n'),
      /Allows with another credential:\n.*by services\.api\.rules\[0\] \(b\.yaml:4\) with api\/bearer/,
      /service api: secrets: TOKEN \(new\)/,
    ],
    [
      service('{ allow: GET /a }', '    credential: { bearer: "${TOKEN}" }\n'),
      service('{ allow: GET /a }', '    credential: { bearer: "${OTHER}" }\n'),
      /service api: secrets: TOKEN -> OTHER/,
    ],
    [
      service('{ allow: GET /a }', '    credential: { basic: { username: me, password: "${P}" } }\n'),
      service('{ allow: GET /a }', '    credential: { basic: { username: you, password: "${P}" } }\n'),
      /service api: username of the credential: digest/,
    ],
    [
      service('{ allow: GET /a }'),
      service('{ allow: GET /a }', '    rate: { per_second: 1, burst: 2 }\n'),
      /service api: rate: 1 per second, bursts of 2 \(new\)/,
    ],
    [service('{ allow: GET /a }'), service('{ ask: GET /a }'), /^Asks a person about:\n.*GET/],
    [
      service('{ allow: GET /a }'),
      service('{ allow: GET /a }', '    graphql: { allow: [query *] }\n'),
      /rule allow: GRAPHQL/,
    ],
    [
      'allow: [{ host: a.example }]\n',
      'allow: [{ host: a.example, allow_private_addresses: true }]\nhttp: { max_request_bytes: 1 }\n',
      /private addresses: allowed \(new\)/,
      /limit maxRequestBytes: \d+ -> 1/,
    ],
    [
      'allow: [{ host: "*.a.example" }]\n',
      'allow: [{ host: "*.a.example", name_limits: { profile: strict } }]\n',
      /limits on names: /,
    ],
    [
      'allow: [{ host: a.example }]\n',
      'allow: [{ host: a.example, tunnel: true }]\n',
      /Allows what was denied:|Denies what was allowed:/,
    ],
  ] as const) {
    const { code, out, err } = await diff(cwd, a, b)
    t.equal(code, 1, `${b}${err}`)
    for (const expected of said) t.match(out, expected)
    t.equal((await diff(cwd, b, a)).code, 1, 'the other way round')
    const json = JSON.parse((await diff(cwd, a, b, true)).out) as { same: boolean }
    t.equal(json.same, false)
  }
})

void t.test('errors', async (t) => {
  const cwd = t.testdir({})
  t.match(await diff(cwd, 'alow: []\n', ''), { code: 2, out: '', err: /a\.yaml:1:1: Unknown key/ })
  t.match(await diff(cwd, '', 'allow: 1\n'), { code: 2, out: '', err: /b\.yaml:1:8/ })
  const io = { stdout: { write: () => undefined }, stderr: { write: () => undefined }, env: {}, cwd }
  t.equal(await runDiff({ before: 'none.yaml', after: 'b.yaml' }, io, CREDENTIAL_KINDS), 2)
})

void t.test('what two policies decide otherwise is never called the same', async (t) => {
  const cwd = t.testdir({})
  const path = fc.constantFrom(
    '/**',
    '/*',
    '/a/**',
    '/a/*',
    '/a',
    '/a/b',
    '/*/b',
    '/a*',
    '/*b',
    '/a/*/c',
    '/',
  )
  const rule = fc
    .tuple(fc.constantFrom('allow', 'allow', 'deny'), fc.constantFrom('GET', 'POST', 'GET,POST', '*'), path)
    .map(([effect, methods, text]) => `{ ${effect}: "${methods} ${text}" }`)
  const rules = fc.array(rule, { minLength: 1, maxLength: 4 }).map((list) => service(list.join(', ')))
  const targets = [
    '/',
    '/a',
    '/b',
    '/a/b',
    '/a/x',
    '/x/b',
    '/ab',
    '/axb',
    '/xb',
    '/ax',
    '/a/x/c',
    '/a/x/y',
    '/x',
    '/x/y/z',
    '/a/b/c',
  ]
  let same = 0
  let different = 0
  await fc.assert(
    fc.asyncProperty(rules, rules, async (a, b) => {
      const { code, err } = await diff(cwd, a, b)
      // Rules that can never decide are errors.
      if (code === 2) {
        fc.pre(false)
        return
      }
      if (err !== '') throw new Error(err)
      const verdicts = await Promise.all(
        ['a.yaml', 'b.yaml'].map(async (file) => {
          const { policy } = await loadPolicy(file, {
            kinds: CREDENTIAL_KINDS,
            env: {},
            cwd,
            withSecrets: false,
          })
          return new Verdicts(policy)
        }),
      )
      let isDifferent = false
      for (const target of targets)
        for (const method of ['GET', 'POST', 'DELETE']) {
          const asked = {
            agent: 'default',
            method,
            scheme: 'https',
            host: 'api.example.com',
            port: 443,
            target,
          } as const
          const [x, y] = await Promise.all(
            verdicts.map((one) => one.ofRequest({ ...asked, contentType: null, document: null })),
          )
          if ((x?.allowed === null) !== (y?.allowed === null)) isDifferent = true
        }
      if (isDifferent && code !== 1) throw new Error('called the same')
      if (code === 0) same += 1
      else different += 1
    }),
    { numRuns: 60 },
  )
  t.ok(different > 5 && same + different > 15, `${String(same)} the same, ${String(different)} different`)
})
