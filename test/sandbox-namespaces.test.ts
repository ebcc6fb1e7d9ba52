import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { chmodSync, existsSync, openSync, readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { createServer as createUnixServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { Bench, ordinaryUid, runners } from './sandbox-bench.js'

const bench = new Bench()
t.teardown(() => bench.close())
t.setTimeout(180_000)

for (const runner of runners()) {
  await t.test(`sandbox launched by ${runner.name}`, async (t) => {
    await t.test('the agent sees its work directory and what it was given', async (t) => {
      const workdir = bench.workdir(runner, { 'a file': 'content' })
      const { code, stdout, stderr } = await bench.sh(
        runner,
        'pwd; cat "a file"; cat /etc/ssl/cert.pem; id -un; id -u; cat /etc/hosts /etc/resolv.conf; hostname; echo "$PRODUCT"',
        { workdir, files: { '/etc/ssl/cert.pem': 'BUNDLE' } },
      )
      t.equal(code, 0, stderr)
      for (const part of [
        workdir,
        'contentBUNDLE',
        'agent\n1000\n',
        '127.0.0.1 egress',
        'nameserver 127.0.0.1',
        'placeholder',
      ]) {
        t.match(stdout, part)
      }
    })

    await t.test('the agent sees nothing else of the host', async (t) => {
      const { stdout } = await bench.sh(
        runner,
        'echo /* /home/* /run/* /tmp/*; ls -A /root /sys /var 2>&1; cat /etc/shadow /etc/fstab; ls /etc/ssh /etc/ssl/private',
      )
      t.notMatch(stdout, /shadow:|root:.*:0:99999/)
      const [places = ''] = stdout.split('\n')
      const allowed =
        /^\/(bin|dev|etc|home|lib|lib32|lib64|libx32|proc|run|sbin|tmp|usr|var|opt|home\/agent|run\/\*|tmp\/egress-sandbox-\w+)$/
      t.same(
        places.split(' ').filter((place) => !allowed.test(place)),
        [],
      )
      t.match(stdout, 'tmp', '/var has tmp')
    })

    await t.test(
      'the environment is the one asked for, and the launcher shows none of the gateway',
      async (t) => {
        const { stdout } = await bench.sh(
          runner,
          'env | cut -d= -f1 | sort | tr "\\n" " "; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
          { env: { PRODUCT: 'visible-placeholder' } },
          { env: { GATEWAY_SECRET: 'real-secret', LANG: 'C.UTF-8' } },
        )
        t.match(stdout, /^HOME LANG LOGNAME NPM_CONFIG_PREFIX PATH PRODUCT PWD SHELL TERM USER /)
        t.match(stdout, 'visible-placeholder', 'the search would find it')
        t.notMatch(stdout, 'real-secret')
        t.notMatch(stdout, 'GATE_SECRET')
      },
    )

    await t.test('no descriptor beyond the standard three is inherited', async (t) => {
      const secret = join(bench.workdir(runner, { secret: 'the secret' }), 'secret')
      const descriptors = [openSync(secret, 'r'), openSync(secret, 'r'), openSync(secret, 'r')]
      const read =
        'for fd in 40 41 42; do cat /proc/self/fd/$fd; done 2>/dev/null; ls /proc/self/fd | tr "\\n" " "'
      const closed = await bench.sh(runner, read, {}, { descriptors })
      t.equal(closed.stdout, '0 1 2 3 ', 'ls has opened the directory itself as 3')
      const kept = await bench.sh(runner, read, {}, { descriptors, keepDescriptors: true })
      t.match(kept.stdout, 'the secret', 'without closing them they would be')
    })

    await t.test('the agent has no capability and cannot get one', async (t) => {
      const { stdout } = await bench.sh(
        runner,
        `grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr '\\t\\n' '  '
        unshare --user true 2>&1 || echo nested refused
        unshare --mount true 2>/dev/null || echo mount refused
        mknod /tmp/null c 1 3 2>/dev/null || echo mknod refused
        mount -t tmpfs none /tmp 2>/dev/null || echo tmpfs refused
        echo 5 2>/dev/null >/proc/sys/user/max_user_namespaces || echo sysctl refused`,
      )
      const none = '0000000000000000'
      t.match(
        stdout,
        `CapInh: ${none} CapPrm: ${none} CapEff: ${none} CapBnd: ${none} CapAmb: ${none} NoNewPrivs: 1`,
      )
      t.match(stdout, 'Seccomp: 2')
      for (const what of ['nested', 'mount', 'mknod', 'tmpfs', 'sysctl']) t.match(stdout, `${what} refused`)
      const control = spawnSync('unshare', ['--user', 'true'], { uid: runner.uid, gid: runner.uid })
      t.equal(control.status, 0, 'outside, the same user may')
    })

    await t.test('processes that hold capabilities are closed to the agent', async (t) => {
      const { stdout } = await bench.sh(
        runner,
        `for f in environ maps mem root/etc cwd/etc fd/0 exe; do
          if cat /proc/1/$f >/dev/null 2>&1 || ls /proc/1/$f/ >/dev/null 2>&1; then echo open $f; else echo closed $f; fi
        done
        cat /proc/self/environ >/dev/null && echo own environ`,
      )
      t.notMatch(stdout, 'open')
      t.match(stdout, 'closed environ')
      t.match(stdout, 'own environ')
    })

    await t.test('the file system is read-only but for the scratch places', async (t) => {
      const workdir = bench.workdir(runner, { file: 'x' })
      const { stdout } = await bench.sh(
        runner,
        `for d in / /usr /etc /dev /proc /.sandbox ${workdir}; do touch $d/new 2>/dev/null && echo written $d; done
        for d in /tmp /var/tmp /run /dev/shm /home/agent; do touch $d/new && echo scratch $d; done
        find / -xdev -writable -not -type l 2>/dev/null | grep -vE '^/(dev|proc|run|home/agent|var/tmp|tmp)' | head -3`,
        { workdir },
      )
      t.equal(
        stdout,
        ['/tmp', '/var/tmp', '/run', '/dev/shm', '/home/agent'].map((d) => `scratch ${d}\n`).join(''),
      )
    })

    await t.test(
      'a writable work directory is written to, a scratch place never reaches the host',
      async (t) => {
        const workdir = bench.workdir(runner)
        const owner = runner.uid === 0 ? ordinaryUid : runner.uid
        const writable = bench.workdir(runner, {}, owner)
        const { code, stderr } = await bench.sh(runner, `echo done >result; echo x >/tmp/only-inside`, {
          workdir: writable,
          writable: true,
        })
        t.equal(code, 0, stderr)
        t.equal(readFileSync(join(writable, 'result'), 'utf8'), 'done\n')
        t.notOk(existsSync('/tmp/only-inside'))
        t.ok(existsSync(workdir))
      },
    )

    await t.test('there is no way to the host over the network, and one to the gateway', async (t) => {
      let connections = 0
      const server = createServer(() => connections++)
      await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
      t.teardown(() => server.close())
      const { port } = server.address() as AddressInfo
      const script = `
        const net = require('node:net'), dgram = require('node:dgram')
        const reach = (port, host) => new Promise((resolve) => {
          const c = net.connect({ port, host }, () => {}).on('data', (d) => resolve(String(d).trim()))
          c.on('error', (e) => resolve(e.code)); setTimeout(() => resolve('silence'), 20_000)
        })
        const ask = () => new Promise((resolve) => {
          const s = dgram.createSocket('udp4').on('message', (m) => { s.close(); resolve(String(m)) })
          s.send('x', 53, '127.0.0.1')
        })
        Promise.all([reach(${port}, '127.0.0.1'), reach(${port}, '::1'), reach(53, '1.1.1.1'), reach(80, 'localhost'),
          reach(80, 'egress'), ask()]).then((all) => { console.log(all.join(' ')); process.exit() })`
      const { stdout, stderr } = await bench.run(runner, { command: [process.execPath, '-e', script] })
      t.equal(stdout, 'ECONNREFUSED ECONNREFUSED ENETUNREACH gateway:web gateway:web gateway:dns\n', stderr)
      t.equal(connections, 0)
    })

    await t.test('families of sockets that know no network namespace are refused', async (t) => {
      const { stdout } = await bench.sh(
        runner,
        `for f in 40 38 1 2 10 16; do perl -e 'print socket(my $s, $ARGV[0], $ARGV[0] == 2 ? 1 : 3 - ($ARGV[0] != 16), 0) ? "$ARGV[0] open\\n" : "$ARGV[0] $!\\n"' $f; done`,
      )
      t.match(stdout, '40 Address family not supported')
      t.match(stdout, '38 Address family not supported')
      for (const family of [1, 2, 10]) t.match(stdout, `${family} open`)
    })

    await t.test('keyrings, io_uring and terminal injection are refused', async (t) => {
      const numbers = process.arch === 'x64' ? [250, 425, 39] : [219, 425, 172]
      const { stdout } = await bench.sh(
        runner,
        `perl -e 'for (@ARGV) { my $r = syscall($_, 0, -3, 0, 0, 0); print $r < 0 ? $!+0 : "ok", " " }' ${numbers.join(' ')}`,
      )
      t.equal(stdout, '1 38 ok ', 'EPERM, ENOSYS, and getpid as the positive control')
    })

    await t.test('a name is found although there is only loopback', async (t) => {
      const { stdout } = await bench.sh(
        runner,
        'getent ahostsv4 localhost; getent hosts nowhere.example || echo none',
      )
      t.match(stdout, '127.0.0.1')
      t.match(stdout, 'none')
    })

    await t.test('files that look like credentials are empty, their templates are not', async (t) => {
      const files = {
        '.env': 'SECRET',
        '.env.local': 'SECRET',
        '.env.example': 'TEMPLATE',
        'deep/er/id_rsa': 'SECRET',
        'deep/er/id_rsa.pub': 'PUBLIC',
        '.aws/credentials': 'SECRET',
        'tls/server.pem': '-----BEGIN PRIVATE KEY-----\nSECRET',
        'tls/ca.pem': '-----BEGIN CERTIFICATE-----\nPUBLIC',
        'policy.yaml': 'SECRET',
        'code.py': 'CODE',
      }
      const owner = runner.uid === 0 ? ordinaryUid : runner.uid
      const workdir = bench.workdir(runner, files, owner)
      const { stdout, stderr } = await bench.sh(
        runner,
        'find . -type f -exec cat {} +; rm -f .env 2>/dev/null; mv .env x 2>/dev/null; echo y 2>/dev/null >.env; ln .env hard 2>/dev/null; ls -a',
        { workdir, writable: true, masked: [join(workdir, 'policy.yaml')] },
      )
      t.notMatch(stdout, 'SECRET', stderr)
      for (const text of ['TEMPLATE', 'PUBLIC', 'CODE']) t.match(stdout, text)
      t.equal(readFileSync(join(workdir, '.env'), 'utf8'), 'SECRET', 'the host still has it')
    })

    await t.test(
      'an agent that moves or closes a directory does not get at what is hidden in it',
      async (t) => {
        const files = {
          'sub/deep/.env': 'the secret',
          'closed/.env': 'the secret',
          '.git/config': 'url = https://x:the-secret@host/',
          '.config/gh/hosts.yml': 'the secret',
          'conf/policy.yaml': 'the secret',
        }
        const owner = runner.uid === 0 ? ordinaryUid : runner.uid
        const workdir = bench.workdir(runner, files, owner)

        const masked = [join(workdir, 'conf/policy.yaml')]
        const first = await bench.sh(
          runner,
          `mv sub node_modules; mv sub/deep .git/objects; mv .git x; mv .config y; mv conf z
        chmod 111 closed; echo new >sub/file; mv sub/file sub/deep/moved; cat sub/deep/moved`,
          { workdir, writable: true, masked },
        )
        t.equal(first.stdout, 'new\n', first.stderr)
        const second = await bench.sh(
          runner,
          `chmod 700 closed 2>/dev/null; cat closed/.env node_modules/deep/.env .git/objects/.env x/config y/gh/hosts.yml
        cat sub/deep/.env .git/config conf/policy.yaml; cat sub/deep/moved`,
          { workdir, writable: true, masked },
        )
        t.equal(second.stdout, 'url = https://host/new\n', second.stderr)
        // Whoever runs the tests takes it away, and may be no more than its owner.
        chmodSync(join(workdir, 'closed'), 0o700)
        t.equal(
          readFileSync(join(workdir, 'conf/policy.yaml'), 'utf8'),
          'the secret',
          'the policy is in its place',
        )
      },
    )

    await t.test('a socket in the work directory cannot be connected to', async (t) => {
      const workdir = bench.workdir(runner)
      let connections = 0
      const server = createUnixServer((connection) => {
        connections++
        connection.end('from the host\n')
      })
      const path = join(workdir, 'daemon.sock')
      await new Promise<void>((resolve) =>
        server.listen({ path, readableAll: true, writableAll: true }, resolve),
      )
      t.teardown(() => server.close())
      const command = [
        process.execPath,
        '-e',
        `require('net').connect(${JSON.stringify(path)}).on('error', (e) => console.log(e.code)).pipe(process.stdout)`,
      ]
      const { stdout } = await bench.run(runner, { command, workdir })
      t.match(stdout.trim(), /^(ECONNREFUSED|EACCES)$/)
      t.equal(connections, 0)
      const control = spawnSync('sh', ['-c', `test -S ${path}`])
      t.equal(control.status, 0, 'on the host it is a socket')
    })

    await t.test('a fork bomb stays inside its limit', async (t) => {
      const limits = {
        processes: 30,
        memoryBytes: 2 ** 30,
        tmpBytes: 2 ** 20,
        openFiles: 256,
        processors: null,
      }
      const few = 'for i in 1 2 3 4 5; do sleep 0.2 & done; wait; echo all'
      t.match((await bench.sh(runner, few, { limits })).stdout, 'all')
      const bomb = 'i=0; while [ $i -lt 100 ]; do sleep 3 & i=$((i+1)); done; echo all'
      const { stdout, stderr } = await bench.sh(runner, bomb, { limits })
      t.notMatch(stdout, 'all')
      t.match(stderr, /[Cc]annot fork|Resource temporarily unavailable/)
    })

    await t.test('scratch space and memory are bounded', async (t) => {
      const limits = {
        processes: 50,
        memoryBytes: 256 * 2 ** 20,
        tmpBytes: 4 * 2 ** 20,
        openFiles: 100,
        processors: null,
      }
      const { stdout } = await bench.sh(
        runner,
        `head -c 1000000 /dev/zero >/tmp/a && echo small file
        head -c 9000000 /dev/zero 2>/dev/null >/tmp/b || echo big file refused
        head -c 9000000 /dev/zero 2>/dev/null >/dev/shm/b || echo shared limit
        perl -e 'my $x = "x" x 50e6; print "small memory\\n"'
        perl -e 'my $x = "x" x 500e6; print "big memory\\n"' 2>/dev/null || echo memory refused
        ulimit -n; ulimit -c`,
        { limits },
      )
      t.equal(stdout, 'small file\nbig file refused\nshared limit\nsmall memory\nmemory refused\n100\n0\n')
    })

    await t.test('what is refused before anything starts', async (t) => {
      const home = bench.workdir(runner, { '.ssh/id_rsa': 'k', '.aws/credentials': 'k', 'a/b': '' })
      const refused = async (spec: Parameters<typeof bench.run>[1]) =>
        (await bench.run(runner, spec)).events.at(-1)?.code
      t.equal(await refused({ workdir: '/' }), 'EGRESS_SANDBOX_MOUNT')
      t.equal(await refused({ workdir: '/proc/self' }), 'EGRESS_SANDBOX_MOUNT')
      t.equal(await refused({ workdir: join(home, 'missing') }), 'EGRESS_SANDBOX_MOUNT')
      t.equal(await refused({ workdir: home }), 'EGRESS_SANDBOX_MOUNT')
      t.equal(await refused({ workdir: join(home, 'a'), masked: [home] }), 'EGRESS_SANDBOX_MASK')
      const asked = await bench.run(runner, { workdir: home, mounts: [{ path: home, writable: false }] })
      t.equal(asked.code, 0, asked.stderr)
    })

    await t.test('the host is as before', async (t) => {
      const name = `egress-left-${process.pid}-${runner.name}`
      const places = ['/tmp', '/var/tmp', '/run', '/dev/shm'].map((directory) => join(directory, name))
      // mount(8) keeps notes in /run/mount unless it is told not to.
      const look = () => [
        readFileSync('/proc/self/mountinfo', 'utf8'),
        existsSync('/run/mount'),
        places.filter((path) => existsSync(path)),
      ]
      const before = look()
      t.equal((await bench.sh(runner, `touch ${places.join(' ')}`)).code, 0)
      t.same(look(), before)
    })
  })
}

await t.test('root and a work directory that the other identity cannot use', async (t) => {
  if (process.getuid?.() !== 0) return
  const root = { name: 'root', uid: 0 }
  const workdir = bench.workdir(root)
  const { code, events } = await bench.run(root, { workdir, writable: true })
  t.equal(code, 125)
  t.match(events.at(-1), { code: 'EGRESS_SANDBOX_ACCESS', fix: /chown/ })
  t.equal((await bench.run(root, { workdir })).code, 0, 'read-only it is fine')
})

await t.test('mounts beneath a mount come with it, read-only and with the flags that they had', async (t) => {
  if (process.getuid?.() !== 0) return
  const root = { name: 'root', uid: 0 }
  const workdir = bench.workdir(root, { 'sub/covered': '', 'noexec/x': '' }, ordinaryUid)
  const prepare = `mount -t tmpfs none ${workdir}/sub
    mkdir ${workdir}/sub/deeper
    mount -t tmpfs -o noexec,nosuid,nodev,noatime none ${workdir}/sub/deeper
    printf inner >${workdir}/sub/deeper/file
    printf SECRET >${workdir}/sub/deeper/.env
    chmod 777 ${workdir}/sub ${workdir}/sub/deeper
    mount --bind ${workdir}/noexec ${workdir}/noexec
    mount -o remount,bind,ro,noexec ${workdir}/noexec`
  const script = `cat sub/deeper/file sub/deeper/.env
    for d in . sub sub/deeper noexec; do touch $d/new 2>/dev/null && echo "+$d"; done; grep -c ${workdir} /proc/mounts`
  const readOnly = await bench.sh(root, script, { workdir }, { prepare })
  t.equal(readOnly.stdout, 'inner5\n', readOnly.stderr)
  const writable = await bench.sh(root, script, { workdir, writable: true }, { prepare })
  // With the two reserved names.
  t.equal(writable.stdout, 'inner+.\n+sub\n+sub/deeper\n7\n', writable.stderr)
})

await t.test('a file that a mount would cover is refused', async (t) => {
  const [runner = { name: 'user', uid: ordinaryUid }] = runners()
  const workdir = bench.workdir(runner)
  const { code, events } = await bench.run(runner, { workdir, files: { [join(workdir, 'ca.pem')]: 'x' } })
  t.equal(code, 125)
  t.match(events.at(-1), { code: 'EGRESS_SANDBOX_FILE' })
  const inHome = await bench.sh(runner, 'cat ~/.config/x; echo y >~/.config/x', {
    files: { '/home/agent/.config/x': 'given' },
  })
  t.equal(inHome.stdout, 'given')
  t.not(inHome.code, 0, 'read-only')
})
