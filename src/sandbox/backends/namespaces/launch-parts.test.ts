import t from 'tap'
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { agentEnvironment, formatAgentScript } from './agent-script.js'
import { rootEtcFiles, sharedEtcFiles } from '../../etc-files.js'
import { formatFstab } from './fstab.js'
import { findTool } from './host-tools.js'
import { chooseUser, permits } from '../../identity.js'
import { checkFiles, planMounts, type MountPlanInput } from './mount-plan.js'
import { makePlan, pinnedDirectories, type MaskedPath } from '../../plan.js'
import { treeCommand } from './process-tree.js'
import { quoteCommand } from '../../shell-quote.js'
import { checkAccess, stage } from './staging.js'
import { filterInstaller } from './syscall-filter.js'

void t.test('root becomes whom sudo names, else the owner, else an unused id, and never stays root', (t) => {
  const none = { sudoUid: undefined, sudoGid: undefined }
  const owner = { uid: 1001, gid: 1002 }
  const nobody = { uid: 61000, gid: 61000 }
  t.equal(chooseUser({ uid: 1000, ...none, owner }), null)
  t.same(chooseUser({ uid: 0, sudoUid: '1005', sudoGid: '1006', owner }), { uid: 1005, gid: 1006 })
  t.same(chooseUser({ uid: 0, sudoUid: '1005', sudoGid: '0', owner }), { uid: 1005, gid: 1005 })
  t.same(chooseUser({ uid: 0, ...none, owner }), owner)
  t.same(chooseUser({ uid: 0, ...none, owner: { uid: 1001, gid: 0 } }), { uid: 1001, gid: 1001 })
  for (const sudoUid of ['0', '00', '-1', '4294967295', '99999999999', 'x', '']) {
    t.same(
      chooseUser({ uid: 0, sudoUid, sudoGid: '5', owner: { uid: 0, gid: 0 } }),
      nobody,
      `SUDO_UID=${sudoUid}`,
    )
  }
  t.end()
})

void t.test('permission bits are those of the first class that fits', (t) => {
  const file = { uid: 1, gid: 2, mode: 0o100724 }
  t.ok(permits(file, { uid: 1, gid: 9 }, 7))
  t.ok(permits(file, { uid: 9, gid: 2 }, 2))
  t.notOk(permits(file, { uid: 9, gid: 2 }, 4))
  t.ok(permits(file, { uid: 9, gid: 9 }, 4))
  t.notOk(permits(file, { uid: 9, gid: 9 }, 6))
  t.end()
})

void t.test('only the work directory is advised to be given to the agent', (t) => {
  const path = t.testdir({})
  chmodSync(path, 0o700)
  const trees = [{ path, writable: false, kind: 'directory' as const }]
  const who = { uid: 61000, gid: 61000 }
  t.throws(() => checkAccess(path, trees, who), {
    code: 'EGRESS_SANDBOX_ACCESS',
    fix: /^Run: chown -R 61000:61000 /,
  })
  t.throws(() => checkAccess('/elsewhere', trees, who), {
    code: 'EGRESS_SANDBOX_ACCESS',
    fix: /remove this --mount/,
  })
  t.end()
})

void t.test('words survive a shell', (t) => {
  const words = ['', "'", '"', '$x', '`x`', 'a b', '\n', '\\', '*', '~', '#', '!', '-n', 'é', '=', '{a,b}']
  const { stdout } = spawnSync('sh', ['-c', `for w in ${quoteCommand(words)}; do printf '%s\\0' "$w"; done`])
  t.same(stdout.toString().split('\0').slice(0, -1), words)
  t.end()
})

void t.test('fstab fields are escaped as fstab(5) says', (t) => {
  const entry = { source: '/a b', target: '/c\td#\\\n', type: 'none', options: ['bind', 'ro'] }
  t.equal(formatFstab([entry]), '/a\\040b /c\\011d\\043\\134\\012 none bind,ro 0 0\n')
  t.end()
})

void t.test('the environment holds what is named and nothing else', (t) => {
  const caller = {
    SECRET: 's',
    LANG: 'C',
    LC_ALL: 'C',
    TERM: 'xterm',
    HOME: '/root',
    LD_PRELOAD: 'x',
    TZ: undefined,
  }
  const environment = agentEnvironment({
    caller,
    product: { A: '1', TERM: 'dumb' },
    path: '/bin',
    shell: '/bin/sh',
  })
  t.same(environment, {
    ...{ LANG: 'C', LC_ALL: 'C', TERM: 'dumb', A: '1', PATH: '/bin', HOME: '/home/agent' },
    ...{ USER: 'agent', LOGNAME: 'agent', SHELL: '/bin/sh' },
  })
  t.end()
})

void t.test('the agent’s variables come after the last program that has capabilities', (t) => {
  const text = formatAgentScript({
    command: ['tool', "it's"],
    workdir: '/w d',
    environment: { LD_PRELOAD: '/w/x.so' },
    limits: { processes: 1, memoryBytes: 2, tmpBytes: 3, openFiles: 4, processors: null },
    tools: { env: '/e', prlimit: '/l', setpriv: '/p', setsid: '/s' },
    filter: ['/perl', 'filter'],
    leaveTerminal: true,
  })
  t.match(
    text,
    /^cd '\/w d' \|\| exit 126\nexec \/s \/l .*\/perl filter \/p .*-- \/e -i LD_PRELOAD=\/w\/x\.so tool 'it'\\''s'\n$/,
  )
  t.end()
})

void t.test('the generated /etc asks the gateway and nobody else', (t) => {
  const etc: Record<string, string> = {
    ...rootEtcFiles({ hosts: { egress: '127.0.0.1' } }),
    ...sharedEtcFiles({
      home: '/home/agent',
      user: { uid: 1000, gid: 1000 },
      shell: '/bin/sh',
      resolver: '127.0.0.1',
      resolverOptions: 'timeout:2',
    }),
  }
  t.match(etc['/etc/resolv.conf'], /^nameserver 127\.0\.0\.1\n/)
  t.notMatch(etc['/etc/resolv.conf'], /search|domain/)
  t.match(etc['/etc/nsswitch.conf'], /^hosts: files dns$/m)
  t.match(etc['/etc/hosts'], /^127\.0\.0\.1 egress$/m)
  t.end()
})

const tree = (path: string, writable: boolean) => ({ path, kind: 'directory' as const, writable })
const shown = [tree('/a/b/c', true), tree('/a/b', false), tree('/tmp/w', false)]

const planOf = (hidden: readonly MaskedPath[]) =>
  makePlan({
    id: 'sb-0123456789',
    command: ['true'],
    view: { workdir: '/a/b', home: null, shown, links: {}, hidden, readOnly: [], reserved: [] },
    seeds: {},
    limits: { processes: 1, memoryBytes: 2, tmpBytes: 3, openFiles: 4, processors: null },
    user: { uid: 1000, gid: 1000 },
    runAs: null,
    shell: '/bin/sh',
    environment: {},
    changes: {},
    addresses: { resolver: '127.0.0.1', gateway: '127.0.0.1', own: '127.0.0.1' },
    hosts: {},
    resolverOptions: 'timeout:2',
    listen: [],
    terminal: false,
  })

const input: MountPlanInput = {
  root: '/R',
  table: [{ id: 1, parent: 0, path: '/', options: ['rw'], type: 'ext4' }],
  system: [
    { path: '/usr', kind: 'directory', link: '' },
    { path: '/bin', kind: 'link', link: 'usr/bin' },
  ],
  trees: shown.map((one) => ({ ...one, source: one.path === '/tmp/w' ? '/stage/2' : one.path })),
  plan: planOf([{ path: '/a/b/.env', kind: 'file' }]),
  files: { '/etc/x': 'X', '/home/agent/y': 'Y' },
  hiddenProc: [{ path: '/proc/kcore', kind: 'file' }],
  readOnlyProc: ['/proc/sys'],
}

void t.test('mounts are ordered from the outside in, masks after what they hide', (t) => {
  const { tree, seal, order } = planMounts(input)
  const at = (target: string) => tree.findIndex((entry) => entry.target === target)
  t.ok(at('/R/tmp') < at('/R/tmp/w'))
  t.ok(at('/R/a/b') < at('/R/a/b/c'))
  t.ok(at('/R/a/b/c') < at('/R/a/b/.env'))
  t.match(tree[at('/R/a/b')]?.options.join(), /ro$/)
  t.match(tree[at('/R/a/b/c')]?.options.join(), /rw$/)
  t.equal(tree[at('/R/tmp/w')]?.source, '/stage/2')
  t.same(
    seal.map(({ target }) => target),
    ['/R/proc/sys', '/R/proc/kcore'],
  )
  t.ok(tree.every(({ options }) => options.join().includes('nosuid')))
  t.ok(
    order.directories.some(({ path }) => path === '/.sandbox/scratch/tmp/w'),
    'made in the scratch space before it is bound',
  )
  t.equal(order.files['/etc/x'], 'X')
  t.equal(order.files['/.sandbox/scratch/home/agent/y'], 'Y')
  t.equal(order.links['/bin'], 'usr/bin')
  t.end()
})

void t.test('what leads to something hidden in a writable tree is a mount, and so cannot be renamed', (t) => {
  const masks = ['/a/b/c/.env', '/a/b/c/d/e/.env', '/a/b/x/.env'].map((path) => ({
    path,
    kind: 'file' as const,
  }))
  const { tree } = planMounts({ ...input, plan: planOf(masks) })
  const targets = tree.map(({ target }) => target)
  t.same(
    targets.filter((target) => target.startsWith('/R/a/b/')),
    ['/c', '/c/d', '/c/d/e', '/c/.env', '/c/d/e/.env', '/x/.env'].map((path) => `/R/a/b${path}`),
  )
  t.match(tree[targets.indexOf('/R/a/b/c/d')], {
    source: '/R/a/b/c/d',
    options: ['rbind', 'nosuid', 'nodev', 'rw'],
  })
  t.end()
})

void t.test('only what leads to something hidden in a writable tree is pinned', (t) => {
  const hidden = ['/a/b/c/d/e/.env', '/a/b/c/.env', '/a/b/x/.env', '/elsewhere/y/.env'].map((path) => ({
    path,
    kind: 'file' as const,
  }))
  t.strictSame(pinnedDirectories([tree('/a/b', false), tree('/a/b/c', true)], hidden), [
    '/a/b/c/d',
    '/a/b/c/d/e',
  ])
  t.strictSame(JSON.parse(JSON.stringify(planOf(hidden))), planOf(hidden), 'a plan is plain data')
  t.end()
})

void t.test('a file that nobody would see is refused', (t) => {
  t.doesNotThrow(() => checkFiles(['/etc/ssl/x', '/tmp/x'], ['/usr', '/tmp/w']))
  for (const path of ['/usr/x', '/tmp/w/x', 'relative', '/.sandbox/launch']) {
    t.throws(() => checkFiles([path], ['/usr', '/tmp/w']), { code: 'EGRESS_SANDBOX_FILE' })
  }
  t.end()
})

void t.test('root stages first and drops its identity before it makes the sandbox', (t) => {
  const staged = stage(shown, '/opt/node')
  t.equal(staged.node, '/sys/stage/3')
  t.equal(staged.trees[1]?.source, '/sys/stage/1')
  t.equal(staged.trees[1]?.path, '/a/b')
  const words = treeCommand({ script: staged.script ?? '', identity: { uid: 5, gid: 6 } })
  const order = ['--mount', '--reuid=5', '--regid=6', '--clear-groups', '--user'].map((word) =>
    words.indexOf(word),
  )
  t.same(
    order,
    [...order].sort((a, b) => a - b),
  )
  t.notOk(order.includes(-1))
  t.notOk(treeCommand(null).some((word) => word.startsWith('--reuid')))
  t.end()
})

void t.test('either interpreter installs the filter', (t) => {
  const tools = { perl: findTool('perl'), python: findTool('python3') }
  const found = Object.entries(tools).filter(([, path]) => path !== null)
  t.not(found.length, 0)
  for (const [name] of found) {
    const only = { perl: null, python: null, [name]: tools[name as keyof typeof tools] }
    const [program = '', ...words] = filterInstaller(process.arch, only) ?? []
    const { stdout } = spawnSync(program, [
      ...words,
      '/bin/sh',
      '-c',
      'grep Seccomp: /proc/self/status; echo "$0"',
      "it's",
    ])
    t.equal(stdout.toString(), "Seccomp:\t2\nit's\n", name)
  }
  t.end()
})
