import { join } from 'node:path'
import t from 'tap'
import { eventually } from './fixtures/eventually.js'
import {
  Bench,
  commandLine,
  descendants,
  killOne,
  runners,
  traces,
  type ForwardResult,
} from './sandbox-bench.js'

const bench = new Bench()
t.teardown(() => bench.close())
t.setTimeout(180_000)

const isMaskHelper = (pid: number) => commandLine(pid).includes('setns')
/** The program that builds a sandbox, and is then gone. */
const isBuilder = (pid: number) => commandLine(pid).includes('$sendmsg')

for (const runner of runners()) {
  await t.test(`sandbox launched by ${runner.name}`, async (t) => {
    await t.test('exit codes are the agent’s own', async (t) => {
      const code = async (script: string) => (await bench.sh(runner, script)).code
      t.equal(await code('exit 0'), 0)
      t.equal(await code('exit 7'), 7)
      t.equal(await code('kill -TERM $$'), 143)
      t.equal(await code('kill -INT $$'), 130)
      t.equal(await code('kill -KILL $$'), 137)
    })

    await t.test('a command that cannot be run is told apart', async (t) => {
      const workdir = bench.workdir(runner, { 'not-executable': 'x' })
      const run = (command: string) => bench.run(runner, { command: [command], workdir })
      t.equal((await run('no-such-command')).code, 127)
      t.equal((await run('./missing')).code, 127)
      t.equal((await run('./not-executable')).code, 126)
      t.equal((await run('/usr/bin/true')).code, 0)
    })

    await t.test('arguments arrive as they are', async (t) => {
      const words = ["it's", '$(id)', '`id`', 'a b', '', '\n', '"', '\\', '-n', '*', 'ü', ';exit 9']
      const program = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))'
      const { stdout } = await bench.run(runner, {
        command: [process.execPath, '-e', program, '--', ...words],
      })
      t.same(JSON.parse(stdout), words)
    })

    await t.test('input, output and errors are passed through', async (t) => {
      const running = bench.start(runner, { command: ['sh', '-c', 'cat; echo error >&2'] })
      running.child.stdin?.end('input')
      const { stdout, stderr } = await running.outcome
      t.equal(stdout, 'input')
      t.match(stderr, 'error')
    })

    await t.test('a signal reaches the agent', async (t) => {
      const caught = bench.start(runner, {
        command: ['sh', '-c', 'trap "echo caught; exit 5" USR1; echo trapped; while :; do sleep 0.05; done'],
      })
      await caught.saw('trapped')
      caught.child.kill('SIGUSR1')
      const { code, stdout } = await caught.outcome
      t.match(stdout, 'caught')
      t.equal(code, 5)
      for (const [name, expected] of [
        ['SIGTERM', 143],
        ['SIGINT', 130],
      ] as const) {
        const running = bench.start(runner, { command: ['sh', '-c', 'echo up; exec sleep 60'] })
        await running.saw('up')
        running.child.kill(name)
        t.equal((await running.outcome).code, expected)
      }
    })

    await t.test('what the agent leaves behind ends with it', async (t) => {
      const marker = `60.${Date.now()}`
      const { code } = await bench.sh(runner, `setsid sleep ${marker} >/dev/null 2>&1 & sleep 0.1; exit 0`)
      t.equal(code, 0)
      t.ok(await eventually(() => traces(marker).length === 0), traces(marker).join())
    })

    await t.test('the agent does not run before start', async (t) => {
      const running = bench.start(runner, { command: ['echo', 'agent ran'] }, { hold: true })
      await running.saw('built')
      await new Promise((resolve) => setTimeout(resolve, 200))
      running.child.kill('SIGUSR2')
      const { code, stdout } = await running.outcome
      t.equal(code, 137)
      t.equal(stdout, '')
    })

    // The tree from the driver down: driver, unshare, PID 1, agent, and what the agent started.
    for (const victim of [0, 1, 2, 3, 4]) {
      await t.test(`nothing is left when process ${victim} of the tree is killed`, async (t) => {
        const marker = `61.${Date.now()}`
        const workdir = bench.workdir(runner)
        const running = bench.start(runner, {
          command: ['sh', '-c', `sleep ${marker} & echo up; wait`],
          workdir,
        })
        await running.saw('up')
        const all = descendants(running.child.pid ?? 0)
        const helpers = all.filter(isMaskHelper)
        const tree = all.filter((pid) => !helpers.includes(pid))
        t.equal(helpers.length, 1, 'the process that hides files')
        t.equal(tree.length, 5, tree.map(commandLine).join('\n'))
        t.not(traces(workdir, running.child.pid).length, 0, 'the search finds a live sandbox')
        killOne(tree[victim], 'SIGKILL')
        if (victim < 4) t.equal((await running.outcome).code, victim === 0 ? null : 137)
        else running.child.kill('SIGUSR2')
        await running.outcome
        t.ok(
          await eventually(() => traces(marker).length + traces(workdir).length === 0),
          traces(workdir).join(),
        )
      })
    }

    await t.test('the sandbox ends when nobody could hide files in it any more', async (t) => {
      const running = bench.start(runner, { command: ['sh', '-c', 'echo up; sleep 60'] })
      await running.saw('up')
      killOne(descendants(running.child.pid ?? 0).find(isMaskHelper), 'SIGKILL')
      t.equal((await running.outcome).code, 137)
    })

    await t.test(
      'nothing is left when the gateway or the helper dies while the sandbox is built',
      async (t) => {
        for (const [who, isVictim] of [
          ['builder', isBuilder],
          ['gateway', (pid: number) => commandLine(pid).includes('sandbox-driver.js')],
        ] as const) {
          let killed: { outcome: ForwardResult; workdir: string } | null = null
          // It takes a few milliseconds, which are not always seen.
          for (let attempt = 0; attempt < 50 && killed === null; attempt += 1) {
            const workdir = bench.workdir(runner)
            const running = bench.start(runner, { command: ['echo', 'agent ran'], workdir })
            const state = { isOver: false }
            const outcome = running.outcome.finally(() => (state.isOver = true))
            while (!state.isOver && killed === null) {
              const tree = descendants(running.child.pid ?? 0)
              if (tree.some(isBuilder)) {
                killOne(tree.find(isVictim), 'SIGKILL')
                killed = { outcome: await outcome, workdir }
              } else await new Promise((resolve) => setImmediate(resolve))
            }
            await outcome
          }
          if (killed === null) throw new Error('the builder was never seen')
          const { outcome, workdir } = killed
          t.notMatch(outcome.stdout, 'agent ran', who)
          if (who === 'builder') t.match(outcome.events.at(-1), { code: 'EGRESS_SANDBOX_SETUP' })
          t.ok(await eventually(() => traces(workdir).length === 0), traces(workdir).join())
        }
      },
    )

    await t.test('two sandboxes at once do not see each other', async (t) => {
      const marker = `62.${Date.now()}`
      const first = bench.start(runner, { command: ['sh', '-c', `echo up; exec sleep ${marker}`] })
      await first.saw('up')
      const { stdout } = await bench.sh(runner, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')
      t.match(stdout, 'cat')
      t.notMatch(stdout, marker)
      first.child.kill('SIGUSR2')
      await first.outcome
    })

    await t.test('an interactive shell has job control and a terminal of its own', async (t) => {
      const running = bench.start(runner, { command: ['bash', '--norc'], terminal: true }, { terminal: true })
      const type = async (line: string, expected: string) => {
        running.child.stdin?.write(line)
        await running.saw(expected)
      }
      /** A key counts for what runs when it is struck. */
      const inForeground = (command: string) =>
        eventually(() =>
          descendants(running.child.pid ?? 0).some((pid) => commandLine(pid).trim() === command),
        )
      await type('PS1="ready"-"$ "\n', 'ready-$ ')
      await type('echo tty=$(tty) pid1=$(</proc/1/comm)\n', 'tty=/dev/pts/0 pid1=sh')
      await type('echo "$TERM"-set; sleep 63\n', 'xterm-set')
      await inForeground('sleep 63')
      await type('\x03', '^C')
      await type('echo after-$?\n', 'after-130')
      await type('sleep 64\n', 'sleep 64')
      await inForeground('sleep 64')
      await type('\x1a', 'Stopped')
      await type('kill -KILL %1; sleep 0.2; jobs\n', 'Killed')
      await type(
        `perl -e 'ioctl(STDIN, 0x5412, my $x = "X") or print "inj", "ection: $!\\n"'\n`,
        'injection: Operation not permitted',
      )
      for (const file of ['1/fd/0', '$PPID/fd/0', '$PPID/environ', '$PPID/mem']) {
        await type(`head -c1 </proc/${file} || echo cl"osed" ${file.length}\n`, `closed ${file.length}`)
      }
      running.child.stdin?.write('exit 7\n')
      t.equal((await running.outcome).code, 7)
    })

    await t.test('a signal reaches the agent behind its terminal, and its end is told', async (t) => {
      const running = bench.start(
        runner,
        {
          command: ['sh', '-c', 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done'],
          terminal: true,
        },
        { terminal: true },
      )
      await running.saw('up')
      const driver = descendants(running.child.pid ?? 0).find((pid) =>
        commandLine(pid).startsWith(process.execPath),
      )
      killOne(driver, 'SIGTERM')
      t.equal((await running.outcome).code, 9)
    })

    await t.test('an end by a signal is told through the terminal too', async (t) => {
      const running = bench.start(
        runner,
        { command: ['sh', '-c', 'kill -KILL $$'], terminal: true },
        { terminal: true },
      )
      t.equal((await running.outcome).code, 137)
    })

    await t.test('without a terminal there is no controlling one', async (t) => {
      const { stdout } = await bench.sh(
        runner,
        'cat </dev/tty 2>/dev/null || echo none; ps -o sid= -p $$ | tr -d " "; echo $$',
      )
      const [tty, session, pid] = stdout.split('\n')
      t.equal(tty, 'none')
      t.equal(session, pid)
    })

    await t.test('two sockets on one port are an error, not a hang', async (t) => {
      const listen = [1, 2].map((n) => ({ name: `s${n}`, kind: 'tcp' as const, port: 8080 }))
      const { code, events } = await bench.run(runner, { listen })
      t.equal(code, 125)
      t.match(events.at(-1), { code: 'EGRESS_SANDBOX_SETUP', message: /same port/ })
    })

    await t.test('files and a mount at unusual paths', async (t) => {
      const workdir = bench.workdir(runner, { "a 'quote\\ and\ttab/.env": 'SECRET', 'b#c/x': 'X' })
      const odd = join(workdir, "a 'quote\\ and\ttab")
      const { stdout, code, stderr } = await bench.sh(runner, 'cat .env ../*/x; pwd', {
        workdir: odd,
        mounts: [{ path: join(workdir, 'b#c'), writable: false }],
      })
      t.equal(code, 0, stderr)
      t.equal(stdout, `X${odd}\n`)
    })
  })
}
