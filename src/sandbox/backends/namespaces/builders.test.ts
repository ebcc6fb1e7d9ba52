import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { parseLimits } from '../../limits.js'
import { NamespacesBackend } from './backend.js'
import { encodeSteps, mountSteps } from './build-steps.js'
import { findTool } from './host-tools.js'
import { planNamespaces } from './setting.js'

/** What a sandbox looks like to what runs in it; the order of names is that of the C locale. */
const LOOK = `LC_ALL=C; export LC_ALL
cut -d' ' -f4-6,9- /proc/self/mountinfo | sed 's/ [0-9:]* / /'
ls /; for f in /etc /etc/ssl /etc/ssl/certs /dev /dev/pts /run /tmp /var /home /home/agent; do ls -ld $f; ls -l $f; done | sed 's/ [A-Z][a-z][a-z] [ 0-9]* [0-9:]* / /'
cat /etc/hosts /etc/resolv.conf /etc/passwd /proc/sys/user/max_user_namespaces
hostname; ip address 2>/dev/null; ip route 2>/dev/null; ls -l /.sandbox | sed 's/ [0-9]* [A-Z][a-z][a-z] [ 0-9]* [0-9:]* / /'; cat /proc/1/cmdline | cksum`

async function look(t: Test, perl: string | null): Promise<string> {
  const workdir = mkdtempSync(join(tmpdir(), 'egress-look-'))
  t.teardown(() => rmSync(workdir, { recursive: true, force: true }))
  chmodSync(workdir, 0o777)
  const { plan } = await planNamespaces('sb-0123456789', {
    command: ['sh', '-c', `{ ${LOOK}; } >out 2>&1`],
    workdir,
    writable: true,
    mounts: [],
    masked: [],
    policies: [],
    env: {},
    changes: {},
    limits: parseLimits([]),
    terminal: false,
    listen: [
      { name: 'tcp', kind: 'tcp', port: 80 },
      { name: 'udp', kind: 'udp', port: 53 },
    ],
    hosts: { egress: '127.0.0.1' },
  })
  const backend = new NamespacesBackend(
    () => Promise.resolve({ '/etc/egress/one': 'one', '/etc/egress/two': Buffer.from([0, 255]) }),
    undefined,
    perl,
  )
  try {
    await backend.prepare(plan)
    t.strictSame([...backend.sockets.keys()].sort(), ['tcp', 'udp'])
    backend.start()
    t.equal(await backend.wait(), 0)
  } finally {
    for (const socket of backend.sockets.values()) socket.close()
    await backend.end()
  }
  return (
    readFileSync(join(workdir, 'out'), 'utf8')
      .replaceAll(basename(workdir), 'WORKDIR')
      // The label that an address needs which is set by ioctl(2).
      .replaceAll('lo:1', 'lo')
  )
}

void t.test('whatever builds a sandbox, it is the same', async (t) => {
  const perl = findTool('perl')
  if (perl === null) throw new Error('Install perl')
  const [built, reference] = [await look(t, perl), await look(t, null)]
  t.match(reference, /\/etc\/ssl\/certs/)
  const lines = (text: string) => text.split('\n')
  t.strictSame(lines(built), lines(reference))
})

void t.test('a port that is taken is told in plain words', async (t) => {
  const { plan } = await planNamespaces('sb-0123456789', {
    command: ['true'],
    workdir: '/usr/share',
    writable: false,
    mounts: [],
    masked: [],
    policies: [],
    env: {},
    changes: {},
    limits: parseLimits([]),
    terminal: false,
    listen: [
      { name: 'a', kind: 'tcp', port: 80 },
      { name: 'b', kind: 'tcp', port: 80 },
    ],
    hosts: {},
  })
  const backend = new NamespacesBackend()
  await t.rejects(backend.prepare(plan), {
    code: 'EGRESS_SANDBOX_SETUP',
    message: /Two of the requested sockets have the same port/,
  })
  await backend.end()
})

void t.test('a bind takes its options in a second call, as with mount(8)', (t) => {
  const entry = { source: '/a', target: '/b', type: 'none' }
  t.strictSame(mountSteps({ ...entry, options: ['rbind', 'nosuid', 'nodev', 'ro'] }), [
    ['mount', '/a', '/b', 'none', 4096 | 16384, ''],
    ['mount', 'none', '/b', 'none', 32 | 4096 | 1 | 2 | 4, ''],
  ])
  t.strictSame(mountSteps({ ...entry, options: ['remount', 'bind', 'nosuid', 'rw'] }), [
    ['mount', '/a', '/b', 'none', 32 | 4096 | 2, ''],
  ])
  t.strictSame(
    mountSteps({
      source: 'devpts',
      target: '/c',
      type: 'devpts',
      options: ['nosuid,noexec,newinstance,max=256'],
    }),
    [['mount', 'devpts', '/c', 'devpts', 2 | 8, 'newinstance,max=256']],
  )
  t.end()
})

void t.test('steps are framed by their lengths, whatever is in them', (t) => {
  const bytes = encodeSteps([['file', '/a\n\udcff', '0444', Buffer.from([0, 1])]])
  t.equal(
    bytes.toString('latin1'),
    '\0\0\0\x1e\0\0\0\x04file\0\0\0\x04/a\n\xff\0\0\0\x040444\0\0\0\x02\0\x01',
  )
  t.end()
})
