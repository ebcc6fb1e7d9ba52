import fc from 'fast-check'
import t from 'tap'
import { loadPolicy } from './load.js'
import { TEST_KINDS, writeFiles } from './test-fixtures.js'
import { TOKEN_FORMATS } from './issues/token-formats.js'

/** A policy whose every part is well; `at` replaces one of them. */
interface Leak {
  readonly policy: string
  readonly env?: Readonly<Record<string, string>>
  readonly dotenv?: string
}

const text = (value: string): string => JSON.stringify(value)
const service = (credential: string, extra = ''): string =>
  `services:\n  a:\n    url: https://a.example.com\n    credential: ${credential}\n    rules: [{ allow: GET /** }]\n${extra}`

const vault = (address: string, token: string): string =>
  `secrets: { X: { vault: { address: ${text(address)}, path: a/b, field: c, token: ${text(token)} } } }\n`

/** Mistakes with a secret that nothing but the policy knows. */
const IN_PLACES_FOR_SECRETS: readonly ((secret: string) => Leak)[] = [
  (s) => ({ policy: service(`{ bearer: ${text(s)} }`) }),
  (s) => ({ policy: service(`{ bearer: [${text(s)}] }`) }),
  (s) => ({ policy: service(`{ bearer: { token: ${text(s)}, x: 1 } }`) }),
  (s) => ({ policy: service(text(s)) }),
  (s) => ({ policy: service(`{ ${text(s)}: 1 }`) }),
  (s) => ({ policy: service(`{ basic: { username: "a\\nb", password: ${text(s)} } }`) }),
  (s) => ({ policy: service(`{ header: { name: "no name", value: ${text(s)} } }`) }),
  (s) => ({ policy: service(`{ bearer: ${text('${X:-' + s + '}')} }`) }),
  (s) => ({ policy: service(`{ bearer: ${text('Token ' + s + '${X}')} }`) }),
  (s) => ({ policy: service(`{ bearer: ${s} }\n  - : [`) }),
  (s) => ({ policy: service(`\n      bearer: *${s}`) }),
  (s) => ({ policy: service(`\n      bearer: &${s}`) }),
  (s) => ({ policy: service(`\n      bearer: !${s}`) }),
  (s) => ({ policy: service(`\n      bearer: "${s}`) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', `    env: { X: ${text('${' + s)} }\n`) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', `    env: { X: [${text(s)}] }\n`) }),
  (s) => ({
    policy: `services: { a: { url: ${text(`https://u:${s}@a.example.com`)}, rules: [{ allow: GET /** }] } }`,
  }),
  (s) => ({
    policy: `services: { a: { url: ${text(`https://a.example.com/?k=${s}`)}, rules: [{ allow: GET /** }] } }`,
  }),
  (s) => ({
    policy: `services: { a: { url: ${text(`u:${s}@a.example.com`)}, rules: [{ allow: GET /** }] } }`,
  }),
  (s) => ({ policy: service('{ bearer: "${X}" }'), dotenv: `X=${s}'"\n${s}\n` }),
  (s) => ({ policy: service('{ bearer: "${X}" }'), env: { X: `${s}\n` } }),
  (s) => ({ policy: service('{ bearer: "${X}" }'), env: { X: s, X_FILE: s } }),
  (s) => ({ policy: service('{ bearer: "${X}" }'), env: { X_FILE: s } }),
  (s) => ({ policy: service('{ bearer: "${X}" }', `secrets: { ${text(s)}: { file: a } }\n`) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', `secrets: { X: ${text(s)} }\n`) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', `secrets: { X: { ${text(s)}: 1 } }\n`) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', `secrets: { X: { file: ${text(s)} } }\n`) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', `secrets: { X: { command: [a], env: [${text(s)}] } }\n`) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', vault('https://v.example.com', s)) }),
  (s) => ({ policy: service('{ bearer: "${X}" }', vault(`https://u:${s}@v.example.com`, '${Y}')) }),
]

/** Errors with a secret that is also in a variable, or in a known token format, anywhere in the policy. */
const ANYWHERE: readonly ((secret: string) => string)[] = [
  (s) => `${text(s)}: 1\n`,
  (s) => `allow: [{ host: ${text(s)} }]\n`,
  (s) => `allow: [{ host: ${text(`*.${s}`)} }]\n`,
  (s) => `allow: [{ host: a.example.com, methods: [${text(s)}] }]\n`,
  (s) => `allow: [{ host: a.example.com, paths: [${text(s)}] }]\n`,
  (s) => `allow: [{ host: a.example.com, ca: ${text(s)} }]\n`,
  (s) => `services: { a: { url: ${text(s)}, rules: [{ allow: ${text(s)} }] } }\n`,
  (s) =>
    `services: { ${text(s)}: { url: https://a.example.com, rules: [{ deny: ${text(`GET /${s}`)} }] } }\n`,
  (s) => `agents: { ${text(`${s}!`)}: { services: [${text(s)}], allow: [${text(s)}] } }\n`,
  (s) => `http: { idle_timeout: ${text(s)}, max_request_bytes: ${text(s)} }\n`,
  (s) => `upstream: { servers: [${text(s)}], hosts: { ${text(s)}: ${text(s)} } }\n`,
  (s) => `settings: { log_level: ${text(s)} }\n`,
  (s) => `allow:\n  - ${s}: x\n    ${s}: y\n`,
]

const alphanumeric = fc.string({
  unit: fc.constantFrom(...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789')),
  minLength: 24,
  maxLength: 160,
})
/** Bytes of passwords that mean something to YAML, URLs or our own quotation marks. */
const password = fc.string({
  unit: fc.constantFrom(...Array.from('aZ09-_.~!$&()*+,;=:@/?#[]{}|\\^`"\'% ')),
  minLength: 10,
  maxLength: 60,
})
const token = fc
  .tuple(fc.constantFrom(...TOKEN_FORMATS), alphanumeric)
  .map(([{ prefix }, tail]) => `${prefix}${tail}7`)

async function messageOf(cwd: string, { policy, env = {}, dotenv = '' }: Leak): Promise<string> {
  writeFiles(cwd, { 'egress.yaml': policy, '.env': dotenv })
  try {
    await loadPolicy('egress.yaml', { kinds: TEST_KINDS, env, cwd })
    return ''
  } catch (error) {
    return String(error) + JSON.stringify(error)
  }
}

void t.test('no message quotes the value of a key for secrets', async (t) => {
  const cwd = t.testdir({})
  const secrets = fc.oneof(alphanumeric, password, token)
  const run = async (secret: string, index: number): Promise<boolean> => {
    const leak = IN_PLACES_FOR_SECRETS[index]?.(secret) ?? { policy: '' }
    const message = await messageOf(cwd, leak)
    return !message.includes(secret) && !message.includes(JSON.stringify(secret).slice(1, -1))
  }
  const index = fc.nat({ max: IN_PLACES_FOR_SECRETS.length - 1 })
  await fc.assert(fc.asyncProperty(secrets, index, run), { numRuns: 600 })
})

void t.test('no message quotes the value of a variable, wherever it occurs', async (t) => {
  const cwd = t.testdir({})
  const run = async (secret: string, index: number): Promise<boolean> => {
    const policy = `${ANYWHERE[index]?.(secret) ?? ''}# \${HELD}\n`
    return !(await messageOf(cwd, { policy, env: { HELD: secret } })).includes(secret)
  }
  const index = fc.nat({ max: ANYWHERE.length - 1 })
  await fc.assert(fc.asyncProperty(fc.oneof(alphanumeric, token, password), index, run), { numRuns: 400 })
})

void t.test('no message quotes a value in a token format, wherever it occurs', async (t) => {
  const cwd = t.testdir({})
  const index = fc.nat({ max: ANYWHERE.length - 1 })
  const run = async (secret: string, at: number): Promise<boolean> =>
    !(await messageOf(cwd, { policy: ANYWHERE[at]?.(secret) ?? '' })).includes(secret)
  await fc.assert(fc.asyncProperty(token, index, run), { numRuns: 300 })
})

void t.test('each of these mistakes is a mistake', async (t) => {
  const cwd = t.testdir({})
  const secret = 'hunter2 hunter2 hunter2'
  for (const make of IN_PLACES_FOR_SECRETS) t.not(await messageOf(cwd, make(secret)), '', make(secret).policy)
  for (const make of ANYWHERE) t.not(await messageOf(cwd, { policy: make(secret) }), '', make(secret))
})
