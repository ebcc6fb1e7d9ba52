import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const MODULE = fileURLToPath(new URL('./state-owner.js', import.meta.url))

// As another user, which only root can become.
void t.test(
  'state of another user is told with both users',
  { skip: process.getuid?.() !== 0 && 'not root' },
  (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'egress-state-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    chmodSync(directory, 0o1777)
    const check = (uid: number) =>
      spawnSync(
        process.execPath,
        [
          '-e',
          `import(${JSON.stringify(MODULE)}).then((m) => m.checkStateOwner(${JSON.stringify([directory])}))`,
        ],
        { uid, gid: uid, encoding: 'utf8' },
      )
    t.equal(check(1234).status, 0, 'an open directory is anybody’s')
    writeFileSync(join(directory, 'http.ndjson'), '', { mode: 0o600 })
    const refused = check(1234)
    t.not(refused.status, 0)
    t.match(refused.stderr, 'http.ndjson belongs to user 0, and the gateway runs as user 1234')
    t.match(refused.stderr, 'Set EGRESS_UID=0 again, or give the volumes to user 1234')
    t.equal(check(0).status, 0, 'the owner')
    rmSync(join(directory, 'http.ndjson'))
    chmodSync(directory, 0o700)
    t.match(check(1234).stderr, `${directory} belongs to user 0`)
    mkdirSync(join(directory, 'runs'))
    t.equal(check(0).status, 0)
    t.end()
  },
)
