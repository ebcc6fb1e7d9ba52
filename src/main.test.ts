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

void t.test('a usage error is two lines: the problem and the fix', (t) => {
  const cwd = t.testdir({})
  for (const [args, code, said] of [
    ['rnu', 2, 'Unknown command `rnu`\n  Did you mean `run`? See `egress --help`'],
    ['--vresion', 2, 'Unknown option `--vresion`\n  Did you mean `--version`? See `egress --help`'],
    ['check a b', 2, 'Too many arguments\n  See `egress check --help`'],
    ['logs --denid', 2, 'Unknown option `--denid`\n  Did you mean `--denied`? See `egress logs --help`'],
    ['logs -n', 2, 'Missing value for `-n, --tail <lines>`\n  See `egress logs --help`'],
    ['logs -n x', 2, 'Invalid value `x` for `-n, --tail <lines>`\n  Use a whole number'],
    ['run', 125, 'Missing argument `command`\n  See `egress run --help`'],
    ['run --agent -- true', 125, 'Invalid value `--` for `--agent <name>`\n  Add a value after the option'],
    [
      'run --mount  -- true',
      125,
      'Invalid value `` for `--mount <path[:rw]>`\n  Add a value after the option',
    ],
    ['run --policy none.yaml -- true', 125, 'Policy file none.yaml not found\n  Create it with '],
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
  t.match(err, /--mount `:rw` has no path\n {2}Write a path/)
  t.end()
})

// Without NODE_OPTIONS: the test runner's loader fails if there is no current directory.
const REMOVED = 'unset NODE_OPTIONS; mkdir gone && cd gone && rmdir ../gone && '

void t.test('a current directory that was removed', (t) => {
  const { code, err } = egress(['logs'], t.testdir({}), REMOVED)
  t.equal(code, 2)
  t.equal(err, 'egress: The current directory was removed\n  Change to an existing directory\n')
  t.end()
})

void t.test('--version, and help without unreadable defaults', (t) => {
  const cwd = t.testdir({})
  t.match(egress(['--version'], cwd).out, /^\d+\.\d+\.\d+\n$/)
  const { code, out } = egress(['run', '--help'], cwd)
  t.equal(code, 0)
  t.notMatch(out, /\(default: (\[|false)/)
  t.end()
})
