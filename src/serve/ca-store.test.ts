import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openCa } from './ca-store.js'
import { stateDirectories } from '../common/state.js'

const YEAR_MS = 365 * 86_400_000

void t.test('the authority outlives the gateway; its key is the gateway’s alone', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-authority-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const state = stateDirectories({ EGRESS_STATE_DIR: directory })
  const now = Date.now()
  const first = await openCa(state, now)
  const again = await openCa(state, now)
  t.equal(again.pem, first.pem)
  const leaf = await again.contextFor('sb', 'api.example', now)
  t.ok(leaf, 'and it still signs')

  t.equal(statSync(join(state.ca, 'authority.key')).mode & 0o777, 0o600)
  t.equal(statSync(state.ca).mode & 0o777, 0o700)
  const published = readFileSync(join(state.certificates, 'ca.pem'), 'utf8')
  t.equal(published, first.pem)
  t.ok(readFileSync(join(state.certificates, 'ca-certificates.crt'), 'utf8').endsWith(first.pem))
  for (const name of ['ca.pem', 'ca-certificates.crt', 'java/cacerts', 'ca-bundle.crt'])
    t.notMatch(readFileSync(join(state.certificates, name), 'utf8'), 'PRIVATE KEY', name)

  const late = await openCa(state, now + YEAR_MS)
  t.not(late.pem, first.pem, 'one that ends soon is replaced')
  t.ok(new X509Certificate(late.pem).ca)
})

void t.test('what is damaged, or does not fit, is replaced', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-authority-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const state = stateDirectories({ EGRESS_STATE_DIR: directory })
  const other = stateDirectories({ EGRESS_STATE_DIR: join(directory, 'other') })
  const first = await openCa(state, Date.now())
  await openCa(other, Date.now())
  writeFileSync(join(state.ca, 'authority.key'), readFileSync(join(other.ca, 'authority.key')))
  const second = await openCa(state, Date.now())
  t.not(second.pem, first.pem, 'the key of another')
  writeFileSync(join(state.ca, 'authority.pem'), 'nonsense')
  t.not((await openCa(state, Date.now())).pem, second.pem)
})

void t.test('a directory that cannot be written', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-authority-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'state'), 'a file')
  const state = stateDirectories({ EGRESS_STATE_DIR: join(directory, 'state') })
  await t.rejects(openCa(state, Date.now()), /^Cannot write .*state/)
})
