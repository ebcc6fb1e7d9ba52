import t from 'tap'
import { bindOptions, mountOf, mountsBeneath, parseMountinfo, visibleMounts } from './mount-table.js'
import { isWithin } from '../../paths.js'

const table = parseMountinfo(`27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
30 27 0:31 / /home rw,nosuid,nodev,noatime - ext4 /dev/vdb rw
31 30 0:32 / /home/u/with\\040blank ro,noexec,relatime - tmpfs none ro
32 30 0:33 / /home/u/hidden/below rw - tmpfs none rw
33 30 0:34 / /home/u/hidden rw - tmpfs none rw
34 27 0:35 / /mnt rw - tmpfs lower rw
35 34 0:36 / /mnt ro,nodev - tmpfs upper rw
not a mount`)

void t.test('lines are parsed, octal escapes included', (t) => {
  t.equal(table.length, 8)
  t.same(table[3], {
    id: 31,
    parent: 30,
    path: '/home/u/with blank',
    options: ['ro', 'noexec', 'relatime'],
    type: 'tmpfs',
  })
  t.equal(parseMountinfo('1 0 0:1 / /caf\\303\\251 rw - tmpfs none rw')[0]?.path, '/café')
  t.end()
})

void t.test('what is mounted over is not visible', (t) => {
  t.same(
    visibleMounts(table).map(({ id }) => id),
    [27, 22, 30, 31, 33, 35],
  )
  t.end()
})

void t.test('mounts beneath a directory, and the mount that a path lies on', (t) => {
  t.same(
    mountsBeneath(visibleMounts(table), '/home/u').map(({ id }) => id),
    [33, 31],
  )
  t.same(mountsBeneath(visibleMounts(table), '/home/u/with blank'), [])
  t.equal(mountOf(visibleMounts(table), '/home/u/x')?.id, 30)
  t.equal(mountOf(visibleMounts(table), '/homes')?.id, 27)
  t.equal(mountOf(visibleMounts(table), '/mnt/x')?.id, 35)
  t.end()
})

void t.test('locked flags are kept, write access is never added', (t) => {
  const of = (id: number) => table.find((entry) => entry.id === id)
  t.same(bindOptions(of(30), true), ['nosuid', 'nodev', 'rw'])
  t.same(bindOptions(of(30), false), ['nosuid', 'nodev', 'ro'])
  t.same(bindOptions(of(31), true), ['nosuid', 'nodev', 'noexec', 'ro'])
  t.same(bindOptions(undefined, false), ['nosuid', 'nodev', 'ro'])
  t.end()
})

void t.test('within means whole components', (t) => {
  t.ok(isWithin('/a/b', '/a'))
  t.ok(isWithin('/a', '/a'))
  t.ok(isWithin('/a', '/'))
  t.notOk(isWithin('/ab', '/a'))
  t.end()
})
