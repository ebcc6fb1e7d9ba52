import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { fileSource } from './file.js'

const tools = () => ({ now: Date.now, valueOf: () => '', signal: new AbortController().signal })

void t.test('a file is read without its last line break, and again when it changes', async (t) => {
  const path = `${t.testdir({ token: 'first-value\n' })}/token`
  const source = fileSource('TOKEN', path)
  t.equal(await source.read(tools()), 'first-value')
  writeFileSync(path, 'second-value\r\n')
  t.equal(await source.read(tools()), 'second-value')
  writeFileSync(`${path}.new`, 'third-value')
  renameSync(`${path}.new`, path)
  t.equal(await source.read(tools()), 'third-value')
  t.same(source.secretFiles(), [path, path])
})

void t.test('half of a value is none', async (t) => {
  const path = `${t.testdir({ token: 'first-value' })}/token`
  const source = fileSource('TOKEN', path)
  t.equal(await source.read(tools()), 'first-value')
  writeFileSync(path, 'second-')
  const reading = source.read(tools())
  await sleep(20)
  writeFileSync(path, 'second-value')
  t.equal(await reading, 'first-value')
  t.equal(await source.read(tools()), 'second-value')
})

void t.test('what is wrong with a file', async (t) => {
  const directory = t.testdir({ token: 'first-value', directory: {} })
  const read = (name: string) => fileSource('TOKEN', `${directory}/${name}`).read(tools())
  execFileSync('mkfifo', [`${directory}/pipe`])
  t.match(await read('missing'), { problem: /not found/, fix: String })
  t.match(await read('directory'), { problem: /found a directory/ })
  t.match(await read('pipe'), { problem: /found a pipe/ }, 'and does not wait for it')
  const source = fileSource('TOKEN', `${directory}/token`)
  await source.read(tools())
  rmSync(`${directory}/token`)
  t.match(await source.read(tools()), { problem: /not found/ })
  writeFileSync(`${directory}/token`, 'second-value')
  t.equal(await source.read(tools()), 'second-value')
})

void t.test('Kubernetes swaps the directory under a link', async (t) => {
  const directory = t.testdir({
    '..1': { token: 'first-value' },
    '..2': { token: 'second-value' },
    elsewhere: {},
  })
  symlinkSync('..1', `${directory}/..data`)
  symlinkSync('..data/token', `${directory}/token`)
  const source = fileSource('TOKEN', `${directory}/token`)
  t.equal(await source.read(tools()), 'first-value')
  t.same(
    source.secretFiles(),
    [`${directory}/token`, `${directory}/..1/token`, directory],
    'all that may come is hidden',
  )
  symlinkSync('..2', `${directory}/..data.new`)
  renameSync(`${directory}/..data.new`, `${directory}/..data`)
  t.equal(await source.read(tools()), 'second-value')
  mkdirSync(`${directory}/elsewhere/below`)
  writeFileSync(`${directory}/elsewhere/token`, 'x')
  symlinkSync('../token', `${directory}/elsewhere/below/token`)
  const plain = fileSource('TOKEN', `${directory}/elsewhere/below/token`)
  t.same(plain.secretFiles(), [`${directory}/elsewhere/below/token`, `${directory}/elsewhere/token`])
})
