import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventually } from '#test/fixtures/eventually.js'
import { commandSource, type CommandOptions } from './command.js'

const SECRET = 'hunter2-from-a-command'

function source(argv: readonly string[], options: Partial<CommandOptions> = {}) {
  return commandSource({
    name: 'TOKEN',
    argv,
    env: [],
    refreshMs: null,
    timeoutMs: 5_000,
    environment: { PATH: process.env['PATH'] },
    directory: '/',
    ...options,
  })
}

const shell = (script: string, options: Partial<CommandOptions> = {}) => source(['sh', '-c', script], options)
const tools = () => ({ now: Date.now, valueOf: () => '', signal: new AbortController().signal })

/** Whether a process is still there when a killed one would long be gone. */
async function survives(pidFile: string): Promise<boolean> {
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const isGone = () => {
    try {
      process.kill(pid, 0)
      // A zombie that init has not collected yet is dead all the same.
      return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    } catch {
      return true
    }
  }
  return !(await eventually(isGone))
}

void t.test('what a command prints is the value', async (t) => {
  t.equal(await source(['printf', '%s', SECRET]).read(tools()), SECRET)
  t.equal(await source(['echo', SECRET]).read(tools()), SECRET, 'without its last line break')
  t.equal(await source(['echo', '$HOME; `id` "x" *']).read(tools()), '$HOME; `id` "x" *', 'no shell')
  t.equal(
    await source(['printf', 'a\nb\n']).read(tools()),
    'a\nb',
    'whether two lines are one value, its use decides',
  )
})

void t.test('it gets little of the environment, and no place of the policy', async (t) => {
  const environment = {
    PATH: process.env['PATH'],
    HOME: '/home/dev',
    JIRA_TOKEN: SECRET,
    OP_TOKEN: 'op-token',
  }
  const seen = await shell('env; pwd', { environment, env: ['OP_TOKEN', 'NOT_SET'], directory: '/tmp' }).read(
    tools(),
  )
  t.match(seen, /^HOME=\/home\/dev$/m)
  t.match(seen, /^OP_TOKEN=op-token$/m)
  t.match(seen, /^\/$/m)
  t.notMatch(seen, /JIRA_TOKEN|NOT_SET|hunter2/)
})

const FAILURES: readonly (readonly [name: string, script: string, problem: RegExp])[] = [
  ['prints nothing', 'true', /printed nothing/],
  ['fails with the secret on standard error', `echo ${SECRET} >&2; exit 1`, /ended with exit code 1/],
  ['prints the secret and fails', `echo ${SECRET}; exit 3`, /ended with exit code 3/],
  ['is killed', `echo ${SECRET}; kill -9 $$`, /ended by SIGKILL/],
  ['never stops printing', `yes ${SECRET}`, /more than 65536 bytes/],
]

for (const [name, script, problem] of FAILURES) {
  void t.test(`a command that ${name}`, async (t) => {
    const diagnostic = await shell(script).read(tools())
    t.match(diagnostic, { problem, fix: String })
    t.notMatch(JSON.stringify(diagnostic), SECRET)
  })
}

void t.test('a command that is not there', async (t) => {
  const directory = t.testdir({ 'not-executable': '#!/bin/sh\n' })
  for (const word of ['no-such-program-anywhere', './not-executable', './missing'])
    t.match(await source([word], { directory }).read(tools()), { problem: /Program .* not found/ }, word)
  writeFileSync(`${directory}/broken`, '#!/no/such/interpreter\n')
  chmodSync(`${directory}/broken`, 0o755)
  t.match(await source(['./broken'], { directory }).read(tools()), { problem: /Cannot start the command/ })
})

void t.test('a command that hangs is killed with all that it started', async (t) => {
  const directory = t.testdir({})
  const script = `sleep 60 & echo $! > ${directory}/grandchild; echo $$ > ${directory}/child; echo ${SECRET}; wait`
  const diagnostic = await shell(script, { timeoutMs: 500 }).read(tools())
  t.match(diagnostic, { problem: /did not end within 0\.5 s/ })
  t.notMatch(JSON.stringify(diagnostic), SECRET)
  t.notOk(await survives(`${directory}/child`))
  t.notOk(await survives(`${directory}/grandchild`))
})

void t.test('a grandchild that keeps the output open does not outlive the command', async (t) => {
  const directory = t.testdir({})
  const began = Date.now()
  const value = await shell(`sleep 60 & echo $! > ${directory}/grandchild; echo ${SECRET}`).read(tools())
  t.equal(value, SECRET)
  t.ok(Date.now() - began < 30_000, 'and is not waited for')
  t.notOk(await survives(`${directory}/grandchild`))
})

void t.test('a command that the gateway waits for no more is killed', async (t) => {
  const directory = t.testdir({})
  const stop = new AbortController()
  const reading = shell(`echo $$ > ${directory}/child; sleep 60`).read({ ...tools(), signal: stop.signal })
  await fileExists(t, `${directory}/child`)
  stop.abort()
  t.match(await reading, { problem: /was stopped/ })
  t.notOk(await survives(`${directory}/child`))
})

void t.test('the program is looked up once, and is a trusted file, like its scripts', async (t) => {
  const directory = t.testdir({ early: {}, late: { tool: '#!/bin/sh\necho the-right-one\n' }, 'get.py': '' })
  chmodSync(`${directory}/late/tool`, 0o755)
  const environment = { PATH: `relative:${directory}/early:${directory}/late` }
  const tool = source(['tool', `${directory}/get.py`, 'word'], { environment })
  t.equal(await tool.read(tools()), 'the-right-one')
  writeFileSync(`${directory}/early/tool`, '#!/bin/sh\necho the-wrong-one\n')
  chmodSync(`${directory}/early/tool`, 0o755)
  t.equal(await tool.read(tools()), 'the-right-one')
  t.same(tool.trustedFiles(), [`${directory}/late/tool`, `${directory}/get.py`])
})

async function fileExists(t: Test, path: string): Promise<void> {
  for (let tries = 0; tries < 200 && !(existsSync(path) && readFileSync(path, 'utf8') !== ''); tries += 1)
    await sleep(50)
  t.ok(existsSync(path))
}
