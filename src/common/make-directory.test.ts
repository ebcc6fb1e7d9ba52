import { chdir, cwd } from 'node:process'
import { mkdirSync, mkdtempSync, realpathSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeDirectory } from './make-directory.js'

void t.test('directories are made as far as they are missing', (t) => {
  const place = t.testdir({})
  makeDirectory(join(place, 'a', 'b', 'c'), 0o700)
  t.equal(statSync(join(place, 'a', 'b')).mode & 0o777, 0o700)
  makeDirectory(join(place, 'a', 'b', 'c'))
  t.end()
})

void t.test('a file in the way', (t) => {
  const place = t.testdir({ file: '' })
  t.throws(() => makeDirectory(join(place, 'file')), { code: 'EEXIST' })
  t.throws(() => makeDirectory(join(place, 'file', 'a', 'b')), { code: 'ENOTDIR' })
  t.end()
})

void t.test('a place where nothing can be made ends with an error, and does not hang', (t) => {
  t.throws(() => makeDirectory('/proc/x/y'), { code: 'ENOENT' })
  const [before, gone] = [cwd(), realpathSync(mkdtempSync(join(tmpdir(), 'egress-gone-')))]
  mkdirSync(join(gone, 'inside'))
  chdir(join(gone, 'inside'))
  rmdirSync(join(gone, 'inside'))
  t.throws(() => makeDirectory('a/b'), { code: 'ENOENT' })
  chdir(before)
  rmSync(gone, { recursive: true })
  t.end()
})
