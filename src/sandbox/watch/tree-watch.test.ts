import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { TreeWatch } from './tree-watch.js'

const QUEUE = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'))

function watched(t: Test) {
  const root = t.testdir({ project: { '.env': 'A=1', sub: {}, flood: { a: '' } } })
  const project = join(root, 'project')
  const found: string[] = []
  const failed: string[] = []
  const tree = new TreeWatch(
    {
      trees: [{ path: project, kind: 'directory', writable: true }],
      home: null,
      hidden: { [join(project, '.env')]: '' },
      inodes: [],
      readOnly: [],
    },
    ({ how, path }) => found.push(`${how} ${path.slice(project.length + 1)}`),
    (reason) => failed.push(reason),
  )
  t.teardown(() => tree.close())
  tree.start()
  return { project, found, failed }
}

/** Waits until it is true. */
async function until(condition: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 300 && !condition(); tries += 1) await sleep(100)
  return condition()
}

void t.test('a file is found however many events come before it', async (t) => {
  const { project, found, failed } = watched(t)
  // More than the kernel keeps: the events of what follows are lost.
  for (let count = 0; count < QUEUE; count += 2) {
    renameSync(join(project, 'flood/a'), join(project, 'flood/b'))
    renameSync(join(project, 'flood/b'), join(project, 'flood/a'))
  }
  writeFileSync(join(project, '.env.new'), 'A=2')
  renameSync(join(project, '.env.new'), join(project, '.env'))
  writeFileSync(join(project, 'sub/prod.env'), '')
  mkdirSync(join(project, 'sub/new'))
  t.ok(await until(() => found.includes('mask .env')), 'a hidden file that was replaced')
  t.ok(await until(() => found.includes('mask sub/prod.env')), 'a new file')
  writeFileSync(join(project, 'sub/new/.env'), '')
  t.ok(await until(() => found.includes('mask sub/new/.env')), 'in a new directory, afterwards')
  t.strictSame(failed, [])
})

void t.test('a directory that changes its name between events is watched under the new one', async (t) => {
  const { project, found } = watched(t)
  renameSync(join(project, 'sub'), join(project, 'other'))
  for (let count = 0; count < QUEUE - 1000; count += 1)
    writeFileSync(join(project, 'other', String(count % 2)), '')
  writeFileSync(join(project, 'other/.env'), '')
  t.ok(await until(() => found.includes('mask other/.env')))
})

void t.test('a name that changes without end delays no other', async (t) => {
  const { project, found } = watched(t)
  const lines = 'registry=https://registry.example.com/\n'.repeat(5000)
  for (let count = 0; count < 200; count += 1) {
    mkdirSync(join(project, `p${String(count)}`))
    writeFileSync(join(project, `p${String(count)}/.npmrc`), lines)
  }
  await sleep(20)
  for (let count = 0; count < 2000; count += 1)
    writeFileSync(join(project, `p${String(count % 200)}/.npmrc`), lines)
  const begin = Date.now()
  renameSync(join(project, 'flood/a'), join(project, '.env'))
  t.ok(await until(() => found.includes('mask .env')))
  t.ok(Date.now() - begin < 20_000)
})

void t.test('more files to hide than can be hidden in time end the sandbox', async (t) => {
  const { project, failed } = watched(t)
  for (let count = 0; count < 2100; count += 1) writeFileSync(join(project, `${String(count)}.env`), '')
  t.ok(await until(() => failed.length > 0))
  t.strictSame(failed.length, 1)
})
