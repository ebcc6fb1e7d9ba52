import t from 'tap'
import { diagnoseHost, explainFailure } from './host-check.js'
import { findProcOvermounts, gatherHostFacts, type HostFacts } from './host-facts.js'
import { parseMountinfo } from './mount-table.js'

const able: HostFacts = {
  platform: 'linux',
  architecture: 'x64',
  kernel: '6.1.0',
  missingTools: [],
  hasInterpreter: true,
  maxUserNamespaces: 15000,
  usernsClone: null,
  apparmorRestriction: null,
  procOvermounts: [],
}

void t.test('a host that can, can', (t) => {
  t.equal(diagnoseHost(able), null)
  t.equal(diagnoseHost({ ...able, usernsClone: 1, apparmorRestriction: 0 }), null)
  t.end()
})

const cases: [Partial<HostFacts>, string, RegExp, RegExp][] = [
  [{ platform: 'darwin' }, 'PLATFORM', /darwin/, /Docker/],
  [{ architecture: 'riscv64' }, 'ARCHITECTURE', /riscv64/, /Docker/],
  [{ missingTools: ['unshare', 'setpriv'] }, 'TOOLS', /unshare, setpriv/, /util-linux/],
  [{ hasInterpreter: false }, 'TOOLS', /perl/, /^Install perl/],
  [{ maxUserNamespaces: null }, 'USERNS', /no user namespaces/, /CONFIG_USER_NS/],
  [{ maxUserNamespaces: 0 }, 'USERNS', /max_user_namespaces is 0/, /sysctl -w user.max_user_namespaces/],
  [
    { usernsClone: 0 },
    'USERNS',
    /unprivileged_userns_clone is 0/,
    /sysctl -w kernel.unprivileged_userns_clone=1/,
  ],
  [{ apparmorRestriction: 1 }, 'APPARMOR', /AppArmor/, /apparmor_restrict_unprivileged_userns=0/],
  [{ procOvermounts: ['/proc/kcore'] }, 'PROC', /\/proc\/kcore/, /systempaths=unconfined/],
]
for (const [facts, code, problem, fix] of cases) {
  void t.test(`told apart: ${JSON.stringify(facts)}`, (t) => {
    const found = diagnoseHost({ ...able, ...facts })
    t.equal(found?.code, `EGRESS_SANDBOX_${code}`)
    t.match(found?.message, problem)
    t.match(found?.fix, fix)
    t.equal(found?.exitCode, 125)
    t.end()
  })
}

void t.test('a masked /proc is seen, what the kernel leaves empty is not counted', (t) => {
  const proc = '22 27 0:21 / /proc rw - proc proc rw'
  t.same(findProcOvermounts(parseMountinfo(proc)), [])
  t.same(
    findProcOvermounts(
      parseMountinfo(`${proc}\n23 22 0:40 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw`),
    ),
    [],
  )
  const masked = `${proc}\n23 22 0:40 / /proc/kcore rw - tmpfs tmpfs rw\n24 22 0:21 /sys /proc/sys ro - proc proc rw`
  t.same(findProcOvermounts(parseMountinfo(masked)), ['/proc/kcore', '/proc/sys'])
  t.same(findProcOvermounts(parseMountinfo(`${masked}\n25 27 0:50 / /other rw - proc proc rw`)), [])
  t.end()
})

void t.test('a failed step is explained by what the tools said', (t) => {
  t.match(explainFailure('unshare: unshare failed: Operation not permitted\n').fix, /seccomp=unconfined/)
  t.match(explainFailure('unshare: unshare failed: No space left on device\n').fix, /max_user_namespaces/)
  t.match(
    explainFailure('unshare: write failed /proc/self/uid_map: Operation not permitted').message,
    /user id/,
  )
  t.match(explainFailure('mount: /x: special device does not exist').message, /special device/)
  t.match(explainFailure('').message, /killed/)
  t.end()
})

void t.test('the facts of this host are gathered', (t) => {
  t.match(gatherHostFacts(), { platform: 'linux', missingTools: [], hasInterpreter: true })
  t.end()
})
