import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Audit } from '#src/audit/audit.js'
import { openAuditKey, type AuditKey } from '#src/audit/audit-key.js'
import type { Workspace } from './fixtures/run.js'
import { HAS_PYTHON_VERIFIER, keysOf, publicKeyOf, verdict, workspaceOf } from './fixtures/verify-log.js'

// What somebody who can write the log, and has no key, may do to it.

t.setTimeout(600_000)

const needsPython = HAS_PYTHON_VERIFIER ? {} : { skip: 'python3-cryptography is not installed' }

const keyOf = (workspace: Workspace) => openAuditKey(keysOf(workspace))

/** The logs of one gateway: of requests with so many records, and of its sandbox. */
function writeLog(
  directory: string,
  gateway: string,
  key: AuditKey,
  records: number,
  hasSandbox = true,
): void {
  const roles = hasSandbox ? (['http', 'sandbox'] as const) : (['http'] as const)
  const audit = new Audit({ directory, gateway, now: Date.now, onChange: () => undefined, key, roles })
  const sandbox = { id: 'sb', agent: 'default' }
  if (hasSandbox)
    audit.sandbox({ at: Date.now(), sandbox, action: 'sandbox-start', command: 'sh', exitCode: null })
  for (let i = 0; i < records; i += 1)
    audit.close({
      ...{ at: Date.now(), id: `id-${String(i)}`, sandbox, outcome: 'success', reason: null, detail: null },
      ...{ host: 'a.example', service: null, credential: null },
      ...{ status: 200, requestBytes: 0, responseBytes: i, durationMs: 1, redactions: [] },
    })
  if (hasSandbox)
    audit.sandbox({ at: Date.now(), sandbox, action: 'sandbox-end', command: 'sh', exitCode: 0 })
  audit.end()
}

void t.test('a run: its log is as it was written, and any change to it is found', async (t) => {
  const workspace = workspaceOf(t)
  const runs = join(workspace.auditDir, 'runs')
  for (const name of ['one', 'two']) writeLog(join(runs, name), name, keyOf(workspace), 50)
  t.equal(await verdict(t, workspace), 0)
  const [one, two] = ['one', 'two'].map((name) => join(runs, name)) as [string, string]
  const change = async (name: string, code: number, harm: () => void, ...flags: string[]) => {
    const files = readdirSync(one).map((file) => [join(one, file), readFileSync(join(one, file))] as const)
    harm()
    t.equal(await verdict(t, workspace, ...flags), code, name)
    rmSync(one, { recursive: true })
    mkdirSync(one)
    for (const [file, bytes] of files) writeFileSync(file, bytes)
  }
  const http = join(one, 'http.ndjson')
  const edit = (undo: (lines: string[]) => string[]) => () =>
    writeFileSync(http, `${undo(readFileSync(http, 'utf8').trimEnd().split('\n')).join('\n')}\n`)
  await change(
    'a figure',
    10,
    edit((lines) => lines.map((line, at) => (at === 9 ? line.replace('"bytes":8', '"bytes":9') : line))),
  )
  await change(
    'a line taken out',
    11,
    edit((lines) => lines.filter((_, at) => at !== 9)),
  )
  await change(
    'its end',
    12,
    edit((lines) => lines.slice(0, -3)),
  )
  await change(
    'its end, which the other log saw, where one may be missing',
    12,
    edit((lines) => lines.slice(0, -1)),
    '--open',
  )
  await change(
    'its beginning',
    12,
    edit((lines) => lines.slice(3)),
  )
  await change(
    'its beginning, where files may be missing',
    0,
    edit((lines) => lines.slice(3)),
    '--retained',
  )
  await change(
    'two lines exchanged',
    13,
    edit(([first = '', a = '', b = '', ...rest]) => [first, b, a, ...rest]),
  )
  await change(
    'a line twice',
    14,
    edit(([first = '', a = '', ...rest]) => [first, a, a, ...rest]),
  )
  await change('the file of another run', 13, () => copyFileSync(join(two, 'http.ndjson'), http))
  await change('no file', 12, () => rmSync(http))
  await change('an empty file', 12, () => writeFileSync(http, ''))
  await change(
    'garbage at the end',
    10,
    edit((lines) => [...lines, 'garbage']),
  )
  await change('a log by another key', 15, () => {
    const other = openAuditKey(join(workspace.directory, 'other-key'))
    rmSync(one, { recursive: true })
    writeLog(one, 'one', other, 50)
  })
  t.equal(await verdict(t, workspace), 0, 'and put back')
})

void t.test('keys: of this machine, named, in the log itself', async (t) => {
  const workspace = workspaceOf(t)
  writeLog(workspace.auditDir, 'g', keyOf(workspace), 5)
  const at = (...words: string[]) => workspace.run(['logs', 'verify', ...words])
  t.notMatch((await at()).stdout, /in the log itself/)
  t.match(await at('--public-key', publicKeyOf(workspace)), { code: 0 })
  const strange = join(workspace.directory, 'strange.pem')
  writeFileSync(strange, generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }))
  t.match(await at('--public-key', strange), { code: 15, stdout: /^FOREIGN .*another key/ })
  const two = /^egress: .+\n {2}\S.+\n$/
  t.match(await at('--public-key', join(workspace.directory, 'none')), { code: 2, stderr: two })
  t.match(await at('--public-key', join(workspace.directory, 'egress.yaml')), { code: 2, stderr: two })
  t.match(await at('--audit-dir', join(workspace.directory, 'none')), { code: 2, stderr: two })
  rmSync(join(workspace.directory, '.local'), { recursive: true })
  t.match(await at(), { code: 0, stdout: /The key is the one in the log itself/ })
})

void t.test("the resolver's key signs the log of queries, and no other", async (t) => {
  const workspace = workspaceOf(t)
  const state = join(workspace.directory, 'state')
  workspace.env['EGRESS_STATE_DIR'] = state
  keyOf(workspace)
  const resolver = openAuditKey(join(state, 'audit-key-dns'))
  const audit = new Audit({
    ...{ directory: workspace.auditDir, gateway: 'dns', now: Date.now, onChange: () => undefined },
    ...{ key: resolver, roles: ['dns'] },
  })
  audit.policy({ at: Date.now(), action: 'policy-loaded', hash: null, previousHash: null, problem: null })
  audit.end()
  writeLog(workspace.auditDir, 'proxy', keyOf(workspace), 5)
  t.match(await workspace.run(['logs', 'verify']), { code: 0, stderr: '' })
  // What the proxy signed, in the place of what the resolver did: neither saw the other.
  const queries = join(workspace.auditDir, 'dns.ndjson')
  const own = readFileSync(queries)
  copyFileSync(join(workspace.auditDir, 'http.ndjson'), queries)
  t.match(await workspace.run(['logs', 'verify']), { code: 13, stdout: /^SWAPPED .*dns\.ndjson/ })
  writeFileSync(queries, own)
  for (const role of ['http', 'sandbox']) rmSync(join(workspace.auditDir, `${role}.ndjson`))
  writeLog(workspace.auditDir, 'proxy', resolver, 5)
  t.match(await workspace.run(['logs', 'verify']), { code: 15, stdout: /^FOREIGN .*http\.ndjson/ })
})

void t.test('at every record of ten thousand: found by the other verifier, too', needsPython, (t) => {
  const workspace = workspaceOf(t)
  const [log, foreign] = ['log', 'foreign'].map((name) => join(workspace.directory, name)) as [string, string]
  writeLog(log, 'g', keyOf(workspace), 10_000)
  writeLog(foreign, 'other', openAuditKey(join(workspace.directory, 'other-key')), 10)
  const files = [log, foreign].map((directory) => join(directory, 'http.ndjson'))
  const { stdout, stderr } = spawnSync(
    '/usr/bin/python3',
    ['-B', 'test/fixtures/audit-harm.py', ...files, keyOf(workspace).publicKey],
    { encoding: 'utf8' },
  )
  t.equal(stderr, '')
  const { records, found } = JSON.parse(stdout) as { records: number; found: Record<string, number> }
  t.ok(records > 10_000)
  const kinds = ['edited', 'gap', 'cut', 'swapped', 'replayed', 'foreign']
  t.strictSame(found, Object.fromEntries(kinds.map((kind) => [`${kind}: ${kind}`, records - 2])))
  t.end()
})

void t.test('a machine that stops in the middle of a record', async (t) => {
  const workspace = workspaceOf(t)
  const file = join(workspace.auditDir, 'http.ndjson')
  writeLog(workspace.auditDir, 'g1', keyOf(workspace), 50, false)
  const whole = readFileSync(file)
  const lines = whole.toString().split('\n')
  const torn = `${lines.slice(0, 20).join('\n')}\n${(lines[20] ?? '').slice(0, 99)}`
  writeFileSync(file, torn)
  writeLog(workspace.auditDir, 'g2', keyOf(workspace), 50, false)
  t.equal(await verdict(t, workspace), 0)
  writeFileSync(file, readFileSync(file, 'utf8').replace(`${(lines[20] ?? '').slice(0, 99)}\n`, ''))
  t.equal(await verdict(t, workspace), 10, 'what the crash left is part of the log')
})
