import { MASKED_NAMES } from '#src/sandbox/masked-names.js'
import type { SandboxPlan } from '#src/sandbox/plan.js'
import { quoteWord } from '#src/sandbox/shell-quote.js'

/** The backends that the table runs on. */
export type BackendName = 'namespaces' | 'docker' | 'toy'

/** What a probe must print, standard error included and blanks at the ends taken away. */
export type Expected = string | RegExp | ((plan: SandboxPlan) => string | RegExp)

/** What a backend does otherwise, and why that is no fault. */
export interface Difference {
  readonly expect: Expected
  readonly because: string
}

export interface Probe {
  readonly name: string
  /** for a POSIX shell in the directory `project` of the work directory */
  readonly script: string
  readonly expect: Expected
  readonly differs?: Partial<Readonly<Record<BackendName, Difference>>>
}

/** What the hidden files hold: nothing of it may be seen. */
/** Settings of git, which are shown without their secrets. */
export const OF_GIT = /(^|\/)(\.git\/.*|\.bare\/|app\.git\/)config$|^gitconfig$/

export const SECRET = 'SECRET-0123456789'

export const GIT_CONFIG = `[remote "origin"]\n\turl = https://${SECRET}@github.com/a/b`

/** Directories of the work directory that lead to something hidden. */
const PINNED = [
  'config',
  'config/inner',
  'deep',
  'deep/er',
  '.config',
  '.cargo',
  '.git',
  '.git/modules/sub',
  `odd, "dir'`,
]

/** Names that are hard on quoting. */
export const HARD_NAMES = ['a b', '-n', `it's`, '"quoted"', 'comma,name', '$HOME', 'back\\slash', 'é*?']

const refused = (command: string) => `if ${command}; then echo done; else echo refused; fi 2>/dev/null`

const writes = (path: string) => refused(`(echo x >${quoteWord(path)}/new-file) 2>/dev/null`)

const NO_PROC_MASKS = 'a plain unshare covers nothing of /proc'

/** In a work directory that may only be read. */
export const READ_PROBES: readonly Probe[] = [
  ...MASKED_NAMES.flatMap(({ kind, examples }) =>
    examples.map((path) => ({
      name: `hidden: ${path}`,
      script: kind === 'directory' ? `ls -A ${quoteWord(path)}` : `cat ${quoteWord(path)}`,
      expect: OF_GIT.test(path) ? GIT_CONFIG.replace(`${SECRET}@`, '') : '',
    })),
  ),
  { name: 'hidden: further names of hidden files', script: 'cat second-name third/name', expect: '' },
  { name: 'a file with two names that is not hidden', script: 'cat twin', expect: 'shown' },
  {
    name: 'settings of npm without their tokens',
    script: 'cat npm/.npmrc',
    expect: 'registry=https://npm.example/\nsave-exact=true',
  },
  { name: 'hidden below node_modules', script: 'cat node_modules/.env node_modules/app/.env', expect: '' },
  { name: 'packages are shown', script: 'cat node_modules/package/.env', expect: 'shown' },
  {
    name: 'hidden: names that are not UTF-8',
    script: `cat "$(printf '.env.\\344')" "$(printf 'Pr\\344s')/.env"`,
    expect: '',
    differs: {
      docker: {
        expect: /No such file/,
        because: 'the engine takes only names in UTF-8, so such a tree is refused',
      },
      toy: { expect: /No such file/, because: 'its script can hold only names in UTF-8' },
    },
  },
  { name: 'hidden in a directory with a hard name', script: `cat 'odd, "dir'\\'/.env`, expect: '' },
  { name: 'hidden: the policy', script: 'cat ../egress.yaml', expect: '' },
  { name: 'hidden: what a link of such a name leads to', script: 'cat settings', expect: '' },
  {
    name: 'hidden: sockets and pipes',
    script: 'for f in socket pipe; do test -f $f && cat $f && echo $f; done',
    expect: 'socket\npipe',
  },
  { name: 'no secret in the whole tree', script: `grep -rl ${SECRET} . ; echo searched`, expect: 'searched' },
  {
    name: 'templates, public keys and plain settings are shown',
    script: 'cat .env.example id_rsa.pub public.pem clean/.git/config | grep -c shown',
    expect: '4',
  },
  ...HARD_NAMES.map((name) => ({
    name: `shown: ${name}`,
    script: `cat ./${quoteWord(name)}`,
    expect: 'shown',
  })),
  { name: 'the work directory is read-only', script: writes('.'), expect: 'refused' },
  {
    name: 'a hidden file cannot be written',
    script: refused('(echo x >.env) 2>/dev/null'),
    expect: 'refused',
  },
  ...['/', '/usr', '/etc', '/bin', '/var', '/proc', '/dev'].map((path) => ({
    name: `read-only: ${path}`,
    script: writes(path),
    expect: 'refused',
  })),
  ...['/tmp', '/var/tmp', '/dev/shm', '/run', '/home/agent'].map((path) => ({
    name: `writable: ${path}`,
    script: writes(path),
    expect: 'done',
  })),
  {
    name: 'programs may be started from /tmp, not from /run',
    script:
      'for d in /tmp /run; do cp /bin/true $d/t && chmod +x $d/t && { $d/t && echo $d; } 2>/dev/null; done',
    expect: '/tmp',
  },
  {
    name: 'scratch places take neither setuid programs nor devices',
    script: `awk '$2 == "/tmp" || $2 == "/run" || $2 == "/home/agent" { print ($4 ~ /nosuid/) && ($4 ~ /nodev/) }' /proc/mounts | sort -u`,
    expect: '1',
    differs: { toy: { expect: /1/, because: 'the host’s own mounts are listed too' } },
  },
  {
    name: 'a scratch place is bounded',
    script: refused('head -c 40000000 /dev/zero >/tmp/big'),
    expect: 'refused',
  },
  ...['kcore', 'keys', 'timer_list', 'kmsg'].map((file) => ({
    name: `masked: /proc/${file}`,
    script: `head -c 1 /proc/${file} 2>/dev/null | wc -c | tr -d ' '`,
    expect: '0',
    differs: file === 'keys' ? { toy: { expect: /^[01]$/, because: NO_PROC_MASKS } } : {},
  })),
  ...['kallsyms', 'key-users'].map((file) => ({
    name: `masked: /proc/${file}`,
    script: `head -c 1 /proc/${file} 2>/dev/null | wc -c | tr -d ' '`,
    expect: '0',
    differs: {
      docker: {
        expect: /^[01]$/,
        because: 'the engine leaves it open: without capabilities it holds no address and no key',
      },
      toy: { expect: /^[01]$/, because: NO_PROC_MASKS },
    },
  })),
  {
    name: 'kernel settings cannot be changed',
    script: refused('(echo x >/proc/sys/kernel/domainname) 2>/dev/null'),
    expect: 'refused',
  },
  {
    name: 'no trigger of SysRq',
    script: refused('(echo h >/proc/sysrq-trigger) 2>/dev/null'),
    expect: 'refused',
  },
  {
    name: 'the environment is the plan’s',
    script: `env | grep -E '^(HOME|PROBE|PLACEHOLDER)=' | sort`,
    expect: ({ environment }) =>
      ['HOME', 'PLACEHOLDER', 'PROBE'].map((name) => `${name}=${environment[name] ?? ''}`).join('\n'),
  },
  { name: 'nothing of the caller’s environment', script: 'env | grep -c CALLER_SECRET', expect: '0' },
  {
    name: 'user, group and no further group',
    script: 'id -un; id -u; id -g; id -G',
    expect: ({ user: { uid, gid } }) => `agent\n${String(uid)}\n${String(gid)}\n${String(gid)}`,
    differs: {
      toy: {
        expect: /^agent\n\d+\n(\d+)\n\1( 65534)*$/,
        because: 'the groups of who starts it are still there',
      },
    },
  },
  {
    name: 'no capabilities',
    script: `grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb):' /proc/self/status | grep -vc '\\s0*$'`,
    expect: '0',
  },
  {
    name: 'no new privileges',
    script: `grep NoNewPrivs /proc/self/status | tr -d '\\t'`,
    expect: 'NoNewPrivs:1',
  },
  {
    name: 'system calls are filtered',
    script: `grep Seccomp: /proc/self/status | tr -d '\\t'`,
    expect: 'Seccomp:2',
    differs: { toy: { expect: /^Seccomp:[02]$/, because: 'a plain unshare has no filter' } },
  },
  {
    name: 'no user namespace of its own',
    script: refused('unshare --user true 2>/dev/null'),
    expect: 'refused',
    differs: { toy: { expect: 'done', because: 'a plain unshare leaves them switched on' } },
  },
  {
    name: 'open files, and no core dumps',
    script: 'ulimit -n; ulimit -c',
    expect: ({ limits }) => `${String(limits.openFiles)}\n0`,
  },
  {
    name: 'memory is bounded',
    script: `perl -e 'my $x = "x" x 20e6; print "little\n"'; perl -e 'my $x = "x" x 700e6; print "much\n"' >/dev/null 2>&1 || echo refused`,
    expect: /^little\n(Killed\n)?refused$/,
  },
  {
    name: 'interfaces',
    script: `sed -n 's/^ *\\([^:]*\\):.*/\\1/p' /proc/net/dev | sort | tr '\\n' ' '`,
    expect: 'lo',
    differs: {
      docker: { expect: 'eth0 lo', because: 'the gateway is a container in the network of the sandbox' },
    },
  },
  { name: 'no route out', script: `awk '$2 == "00000000" && $8 == "00000000"' /proc/net/route`, expect: '' },
  {
    name: 'no IPv6 address',
    script: `grep -v ' lo$' /proc/net/if_inet6 2>/dev/null; echo looked`,
    expect: 'looked',
  },
  {
    name: 'resolv.conf',
    script: 'cat /etc/resolv.conf',
    expect: ({ files }) => (files['/etc/resolv.conf'] ?? '').trim(),
  },
  {
    name: 'the gateway by its name',
    script: `awk '$2 == "egress" { print $1 }' /etc/hosts`,
    expect: ({ addresses }) => addresses.gateway,
    differs: { toy: { expect: '', because: 'a plain unshare keeps the host’s list of hosts' } },
  },
  {
    name: 'the gateway’s ports, and no other',
    script: `for port in 22 53 80 443 3128 8080 9199; do
      host=$GATEWAY; [ $port = 53 ] && host=$RESOLVER
      timeout 3 bash -c ": >/dev/tcp/$host/$port" 2>/dev/null && echo $port
    done | tr '\\n' ' '`,
    expect: '53 80 443 3128 9199',
    differs: { toy: { expect: '', because: 'no gateway listens in a plain unshare' } },
  },
  { name: 'the host’s name', script: 'cat /proc/sys/kernel/hostname', expect: ({ hostname }) => hostname },
  { name: 'the work directory', script: 'pwd', expect: ({ workdir }) => `${workdir}/project` },
  {
    name: 'processes of its own only',
    script: `ls /proc | grep -c '^[0-9]*$' | awk '{ print ($1 < 40) }'`,
    expect: '1',
  },
  { name: 'a directory shown beside', script: 'cat "$BESIDE/file"', expect: 'shown' },
  { name: 'it is read-only', script: writes('$BESIDE').replace(`'$BESIDE'`, '"$BESIDE"'), expect: 'refused' },
  { name: 'what is hidden in it', script: 'cat "$BESIDE/.envrc"', expect: '' },
  {
    name: 'no socket of the engine',
    script: 'ls /var/run/docker.sock /run/docker.sock 2>/dev/null; echo looked',
    expect: 'looked',
    differs: { toy: { expect: /looked$/, because: 'a plain unshare sees the host’s own root' } },
  },
  // The last: until what it has started is over, nothing else can be.
  {
    name: 'processes are bounded',
    script: 'i=0; while [ $i -lt 90 ]; do sleep 2 & i=$((i+1)); done 2>/dev/null; echo all',
    expect: (plan) => (plan.limits.processes < 90 ? /^(?!all$)/ : 'all'),
  },
]

/** In a work directory that may be written to. */
export const WRITE_PROBES: readonly Probe[] = [
  { name: 'the work directory is writable', script: 'echo x >made && cat made && rm made', expect: 'x' },
  ...PINNED.flatMap((path) => [
    {
      name: `pinned: ${path} cannot be renamed`,
      script: refused(`mv ${quoteWord(path)} node_modules 2>/dev/null`),
      expect: 'refused',
    },
    {
      name: `pinned: what is in ${path} can be changed`,
      script: `cd ${quoteWord(path)} && echo x >made && cat made && rm made`,
      expect: 'x',
    },
  ]),
  { name: 'a hidden file cannot be removed', script: refused('rm -f .env 2>/dev/null'), expect: 'refused' },
  {
    name: 'a hidden file cannot be moved',
    script: refused('mv .envrc elsewhere 2>/dev/null'),
    expect: 'refused',
  },
  {
    name: 'a hidden file cannot be replaced',
    script: refused('(echo x >o; mv o .npmrc) 2>/dev/null'),
    expect: 'refused',
  },
  {
    name: 'a hidden file cannot be linked to',
    script: refused('ln .env seen 2>/dev/null'),
    expect: 'refused',
  },
  {
    name: 'a hidden directory stays empty',
    script: refused('(echo x >.ssh/new) 2>/dev/null'),
    expect: 'refused',
  },
  ...[
    ['git’s configuration', '(echo "[core]" >repo/.git/config)'],
    ['git’s configuration, by rename', '(echo x >o; mv -f o repo/.git/config)'],
    ['a hook', '(echo x >repo/.git/hooks/pre-commit)'],
    ['git’s directory, by rename', 'mv repo/.git repo/x'],
    ['the place of the configuration', '(echo /tmp >repo/.git/commondir)'],
    [
      'a hook of a repository without hooks',
      '(mkdir -p clean/.git/hooks && echo x >clean/.git/hooks/post-checkout)',
    ],
    ['a repository at the top', '(mkdir -p ../.git && echo x >../.git/config)'],
    ['a policy beside', '(echo "allow: []" >"$BESIDE/egress.yaml")'],
    ['a policy beside, by rename', '(echo x >"$BESIDE/o"; mv -f "$BESIDE/o" "$BESIDE/egress.yaml")'],
    ['a policy beside, as a link', 'ln -sf o "$BESIDE/egress.yaml"'],
    ['the settings of a package manager with tokens', '(echo x >npm/.npmrc)'],
  ].map(([name = '', command = '']) => ({
    name: `cannot be written: ${name}`,
    script: refused(`${command} 2>/dev/null`),
    expect: 'refused',
  })),
  {
    name: 'git works',
    script: `command -v git >/dev/null || { echo done; exit; }; cd repo && git config user.name >/dev/null
      export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
      (git checkout -q -b other && echo x >new && git add new && git commit -q -m new && git checkout -q - && git merge -q other) >/dev/null && git log --format=%s -1 && git status --porcelain`,
    expect: 'new',
    differs: { docker: { expect: /^(new|done)$/, because: 'an image may have no git' } },
  },
  {
    name: 'editors replace files, and directories can be removed',
    script:
      'echo new >f.tmp && mv f.tmp shown-file && cat shown-file && mkdir -p d/e && touch d/e/f && rm -r d && ls d 2>&1 | wc -l',
    expect: /^new\n\s*1$/,
  },
  {
    name: 'the policy cannot be replaced',
    script: refused('mv -f .env.example ../egress.yaml 2>/dev/null'),
    expect: 'refused',
  },
  {
    name: 'a directory beside that may be written to',
    script: 'echo x >"$BESIDE/made" && cat "$BESIDE/made"',
    expect: 'x',
  },
]

/** Waits until the host has changed the work directory, then prints all files that have to do with it. */
export const LATE_SCRIPT = `cd project; echo up
i=0; while [ ! -e changed ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done
echo "ordinary=$(cat ordinary)"
grep -ras LATE . ; python3 -c 'import socket
s = socket.socket(socket.AF_UNIX); s.connect("late.sock"); print(s.recv(99))' 2>/dev/null
echo end`

/** A sandbox of its own, and the code that it ends with. */
export interface EndProbe {
  readonly name: string
  readonly command: readonly string[]
  readonly input?: string
  /** sent once the command has printed `up` */
  readonly signal?: NodeJS.Signals
  readonly code: number
  /** beginning of what is printed on standard output */
  readonly output?: string
  readonly differs?: Partial<
    Readonly<Record<BackendName, { readonly code: number; readonly because: string }>>
  >
}

export const END_PROBES: readonly EndProbe[] = [
  { name: 'the exit code is the command’s', command: ['sh', '-c', 'exit 42'], code: 42 },
  { name: 'a command that kills itself', command: ['sh', '-c', 'kill -9 $$'], code: 137 },
  { name: 'a command that is not there', command: ['no-such-command'], code: 127 },
  { name: 'a command that may not be executed', command: ['/etc/passwd'], code: 126 },
  { name: 'standard input', command: ['cat'], input: 'line 1\nline 2', code: 0, output: 'line 1\nline 2' },
  {
    name: 'arguments as they are',
    command: ['printf', '%s|', '', 'a b', `it's`, '$HOME', '-n', '\n'],
    code: 0,
    output: `|a b|it's|$HOME|-n|\n|`,
  },
  {
    name: 'a signal that the command takes',
    command: ['sh', '-c', 'trap "echo got; exit 9" TERM; echo up; while :; do sleep 0.05; done'],
    signal: 'SIGTERM',
    code: 9,
    output: 'up\ngot',
  },
  {
    name: 'a signal that ends it',
    command: ['sh', '-c', 'echo up; exec sleep 60'],
    signal: 'SIGTERM',
    code: 143,
    output: 'up',
  },
  { name: 'what it leaves behind ends with it', command: ['sh', '-c', 'sleep 300 & exit 3'], code: 3 },
]
