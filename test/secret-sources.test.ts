import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { collect, makeWorkspace, type Workspace } from './fixtures/run.js'

// The real command, with secrets from a file, a program and the environment.

t.setTimeout(120_000)

const FROM_FILE = 'hunter2-from-a-file'
const FROM_PROGRAM = 'hunter2-from-a-program'
const FROM_VARIABLE = 'hunter2-from-a-variable'
const VALUES = new RegExp(`${FROM_FILE}|${FROM_PROGRAM}|${FROM_VARIABLE}|for-the-program-only`)

const service = (name: string) => `  ${name.toLowerCase()}:
    url: https://${name.toLowerCase()}.example
    credential: { bearer: "\${${name}}" }
    rules: [{ allow: GET /** }]
`
const POLICY = `services:
${['STORED', 'PRINTED', 'GIVEN'].map(service).join('')}secrets:
  STORED: { file: ./stored-token }
  PRINTED: { command: [sh, -c, 'printf %s "hunter2-from-$WORD"'], env: [WORD], refresh: 10m }
`

function workspace(t: Test, policy = POLICY): Workspace {
  const env = { WORD: 'a-program', GIVEN: FROM_VARIABLE, OP_TOKEN: 'for-the-program-only' }
  const space = makeWorkspace(policy, env, { 'stored-token': `${FROM_FILE}\n` })
  t.teardown(() => space.remove())
  return space
}

void t.test('check reads every source and says where each comes from', async (t) => {
  const { code, stdout, stderr } = await workspace(t).run(['check'])
  t.equal(code, 0, stderr)
  t.match(stdout, /^ {2}STORED from file, read every 2 s$/m)
  t.match(stdout, /^ {2}PRINTED from command, read every 600 s$/m)
  t.notMatch(stdout + stderr, VALUES)
})

void t.test('a source that gives nothing stops check with 2 and run with 125', async (t) => {
  const space = workspace(t, POLICY.replace('./stored-token', './no-such-token').replace('printf', 'false'))
  for (const [words, expected] of [
    [['check'], 2],
    [['run', '--', 'true'], 125],
  ] as const) {
    const { code, stdout, stderr } = await space.run(words)
    t.equal(code, expected)
    t.match(stderr, /^egress\.yaml:\d+:\d+: STORED: File not found\n {2}Name a readable text file/m)
    t.match(stderr, /^egress\.yaml:\d+:\d+: PRINTED: The command ended with exit code 1\n {2}Run it by hand/m)
    t.notMatch(stdout + stderr, VALUES)
  }
  const explained = await space.run(['explain', 'GET', 'https://stored.example/'])
  t.equal(explained.code, 0, 'explain needs none of them')
})

void t.test('a sandbox sees neither the file nor the variables', async (t) => {
  const { code, stdout, stderr } = await workspace(t).run([
    'run',
    '--',
    'sh',
    '-c',
    'env; cat stored-token egress.yaml; grep -ra hunter2 . /proc/*/environ; ls; true',
  ])
  t.equal(code, 0, stderr)
  t.match(stdout, /^STORED=\w{32}$/m, 'it has placeholders')
  t.match(stdout, /^stored-token$/m, 'and an empty file')
  t.notMatch(stdout + stderr, VALUES)
  t.notMatch(stdout, /^(?:WORD|OP_TOKEN)=/m)
})

void t.test('a file that the gateway reads again may not be written by the command', async (t) => {
  const { code, stderr } = await workspace(t).run(['run', '--write', '--', 'true'])
  t.equal(code, 125)
  t.match(
    stderr,
    /^egress: The command could modify .*stored-token, which the gateway rereads for a secret.*\n {2}Move /,
  )
})

void t.test('rotations stand in the log', async (t) => {
  const space = workspace(t)
  const running = space.spawn(['run', '--', 'sh', '-c', 'echo begun; sleep 5'])
  running.stdout?.once('data', () => {
    writeFileSync(join(space.directory, 'new'), 'another-token-in-the-file')
    renameSync(join(space.directory, 'new'), join(space.directory, 'stored-token'))
  })
  t.match(await collect(running), { code: 0 })
  const { stdout } = await space.run(['logs', 'http'])
  t.match(stdout, /http SECRET STORED \(file\) rotated\n/)
  t.notMatch(stdout, /another-token/)
})
