import { linkSync, renameSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { keptFiles, recordWritable, refuseSandboxLinks, refuseSandboxWritten } from './sandbox-writes.js'

void t.test('a file that a sandbox could have written is refused', async (t) => {
  const root = t.testdir({
    home: {},
    work: {
      sub: {},
      old: { 'egress.yaml': 'before' },
      'kept.yaml': '',
      'moved.yaml': '',
      'linked.yaml': '',
      program: { x: '' },
    },
    beside: {},
  })
  const home = process.env['HOME']
  process.env['HOME'] = join(root, 'home')
  t.teardown(() => (process.env['HOME'] = home))
  const work = join(root, 'work')
  const refused = (...files: string[]) =>
    files.filter((file) => {
      try {
        refuseSandboxWritten([join(work, file)])
        return false
      } catch (error) {
        t.match(error, { code: 'EGRESS_SANDBOX_WROTE', fix: /touch/ })
        return true
      }
    })
  linkSync(join(work, 'linked.yaml'), join(work, 'sub/other-name'))
  await sleep(50)
  const kept = ['kept.yaml', 'moved.yaml', 'linked.yaml', 'new.yaml', 'program']
  const end = recordWritable([work], keptFiles(kept.map((file) => join(work, file))))
  await sleep(5)
  for (const file of ['egress.yaml', 'sub/egress.yaml', 'kept.yaml', 'dated.yaml', 'linked.yaml', 'new.yaml'])
    writeFileSync(join(work, file), '')
  // As an editor saves: the mount that protected the file has gone with it.
  unlinkSync(join(work, 'moved.yaml'))
  writeFileSync(join(work, 'moved.yaml'), '')
  utimesSync(join(work, 'dated.yaml'), 1, 1)
  writeFileSync(join(work, 'program/x'), '')
  symlinkSync('old', join(work, 'link'))
  symlinkSync('../work/sub/egress.yaml', join(root, 'beside/link.yaml'))
  const all = [
    'egress.yaml',
    'sub/egress.yaml',
    'dated.yaml',
    'link/egress.yaml',
    '../beside/link.yaml',
    ...['moved.yaml', 'linked.yaml', 'new.yaml'],
  ]
  t.strictSame(refused(...all), all, 'while it runs')
  end()
  t.strictSame(refused(...all), all, 'after its end')
  t.throws(() => refuseSandboxLinks(join(work, 'link/egress.yaml')), {
    code: 'EGRESS_SANDBOX_WROTE',
    fix: /touch -h/,
  })
  t.doesNotThrow(
    () => refuseSandboxLinks(join(work, 'sub')),
    'a directory that a sandbox has changed is no link',
  )
  t.strictSame(refused('old/egress.yaml', 'kept.yaml', 'program/x', 'missing.yaml'), [])
  renameSync(join(work, 'sub'), join(work, 'other'))
  t.strictSame(refused('other/egress.yaml'), ['other/egress.yaml'], 'under another name')
  await sleep(50)
  writeFileSync(join(work, 'after.yaml'), '')
  utimesSync(join(work, 'egress.yaml'), new Date(), new Date())
  t.strictSame(refused('after.yaml', 'egress.yaml'), [], 'changed by the user afterwards')
})
