import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))

function egress(
  args: readonly string[],
  cwd: string,
  before = '',
): { code: number | null; err: string; out: string } {
  const script = `${before}exec "$@"`
  const { status, stderr, stdout } = spawnSync('sh', ['-c', script, 'sh', process.execPath, MAIN, ...args], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: cwd },
  })
  return { code: status, err: stderr, out: stdout }
}

void t.test('a slip on the command line is answered in two lines', (t) => {
  const cwd = t.testdir({})
  for (const [args, code, said] of [
    ['rnu', 2, 'there is no command `rnu`\n  write `run`, or see `egress --help`'],
    ['--vresion', 2, 'there is no option `--vresion`\n  write `--version`, or see `egress --help`'],
    ['check a b', 2, 'there are too many arguments\n  see `egress check --help`'],
    ['logs --denid', 2, 'there is no option `--denid`\n  write `--denied`, or see `egress logs --help`'],
    ['logs -n', 2, '`-n, --tail <lines>` has no value\n  see `egress logs --help`'],
    ['logs -n x', 2, '`-n, --tail <lines>` cannot be `x`\n  write a whole number'],
    ['run', 125, 'the argument `command` is missing\n  see `egress run --help`'],
    ['run --agent -- true', 125, '`--agent <name>` cannot be `--`\n  write a value behind it'],
    ['run --mount  -- true', 125, '`--mount <path[:rw]>` cannot be ``\n  write a value behind it'],
    ['run --policy none.yaml -- true', 125, 'there is no policy file none.yaml\n  write one with '],
  ] as const) {
    const { code: actual, err, out } = egress(args.split(' '), cwd)
    t.equal(actual, code, args)
    t.ok(err.startsWith(`egress: ${said}`), `${args}: ${err}`)
    t.equal(err.split('\n').length, 3, args)
    t.equal(out, '', args)
  }
  t.end()
})

void t.test('an empty path of --mount is not the work directory', (t) => {
  const { code, err } = egress(['run', '--mount', ':rw', '--', 'true'], t.testdir({}))
  t.equal(code, 125)
  t.match(err, /--mount `:rw` names no path\n {2}write for example/)
  t.end()
})

// Without what the test runner loads into every Node, which looks for the current directory itself.
const REMOVED = 'unset NODE_OPTIONS; mkdir gone && cd gone && rmdir ../gone && '

void t.test('a current directory that was removed', (t) => {
  const { code, err } = egress(['logs'], t.testdir({}), REMOVED)
  t.equal(code, 2)
  t.equal(err, 'egress: the current directory was removed\n  change to one that exists\n')
  t.end()
})

void t.test('--version, and help without defaults that nobody can read', (t) => {
  const cwd = t.testdir({})
  t.match(egress(['--version'], cwd).out, /^\d+\.\d+\.\d+\n$/)
  const { code, out } = egress(['run', '--help'], cwd)
  t.equal(code, 0)
  t.notMatch(out, /\(default: (\[|false)/)
  t.end()
})
