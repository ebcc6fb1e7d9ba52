import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { refuseWritable } from './trusted-files.js'

void t.test('the command cannot write to a file that the gateway rereads', (t) => {
  const root = t.testdir({ work: { inner: {} }, keep: {}, 'work-2': {} })
  for (const name of ['work/token', 'keep/token', 'work/inner/token', 'work-2/token'])
    writeFileSync(`${root}/${name}`, 'x')
  symlinkSync(`${root}/work/token`, `${root}/keep/into-work`)
  symlinkSync(`${root}/keep/token`, `${root}/work/out-of-work`)
  symlinkSync(`${root}/work/out-of-work`, `${root}/keep/through-work`)
  symlinkSync(`${root}/work/inner`, `${root}/keep/directory`)
  symlinkSync(`${root}/work`, `${root}/mounted-by-another-name`)
  for (const name of [
    'work/token',
    'work/inner/token',
    'work/not-there-yet',
    'work/out-of-work',
    'keep/into-work',
    'keep/through-work',
    'keep/directory/token',
  ]) {
    for (const tree of ['work', 'mounted-by-another-name']) {
      t.throws(
        () => refuseWritable([`${root}/keep/token`, `${root}/${name}`], [`${root}/${tree}`]),
        { code: 'EGRESS_WRITABLE_SECRET', exitCode: 125 },
        `${name} in ${tree}`,
      )
    }
  }
  for (const name of ['keep/token', 'work-2/token'])
    t.doesNotThrow(() => refuseWritable([`${root}/${name}`], [`${root}/work`]), name)
  t.doesNotThrow(() => refuseWritable([`${root}/work/token`], []))
  mkdirSync(`${root}/keep/work`)
  t.doesNotThrow(() => refuseWritable([`${root}/keep/token`], [`${root}/keep/work`]))
  t.end()
})
