import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from './fixtures/eventually.js'
import { makeWorkspace } from './fixtures/run.js'
import { startUpstream } from './fixtures/upstream.js'

const isRoot = process.getuid?.() === 0

void t.test(
  'a full disk turns every request into a denial, the gateway says why, and service resumes',
  { skip: isRoot ? false : 'mounting a small file system takes root' },
  async (test) => {
    const upstream = await startUpstream(null, (_request, response) => response.end('fine'))
    const disk = mkdtempSync(join(tmpdir(), 'egress-disk-'))
    execFileSync('mount', ['-n', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    const space = makeWorkspace(
      `allow:
  - { host: api.example, scheme: http, allow_private_addresses: true }
upstream:
  hosts: { api.example: "127.0.0.1:${String(upstream.port)}" }
`,
      { EGRESS_AUDIT_DIR: join(disk, 'audit') },
    )
    test.teardown(async () => {
      execFileSync('umount', ['-l', disk])
      rmSync(disk, { recursive: true })
      space.remove()
      await upstream.close()
    })
    const ask = `while ! [ -e stop ]; do
      curl -s -o /tmp/body -w '%{http_code} ' http://api.example/; cat /tmp/body; echo
      sleep 0.1
    done`
    const agent = space.spawn(['run', '--', 'sh', '-c', ask])
    let output = ''
    let errors = ''
    agent.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    agent.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    const until = async (pattern: RegExp) => {
      output = ''
      await eventually(() => pattern.test(output), 60_000)
      test.match(output, pattern)
    }

    await until(/^200 fine$/m)
    const filler = join(disk, 'filler')
    fill(filler)
    await until(/"reason":"audit-unavailable"/)
    const reached = upstream.requests.length
    await until(/503 [\s\S]*503 [\s\S]*503 /)
    test.equal(upstream.requests.length, reached, 'nothing passed meanwhile')
    test.match(errors, /Cannot write the audit log .* \(ENOSPC\)/)
    rmSync(filler)
    await until(/^200 fine$/m)
    test.match(errors, /is writable again/)
    writeFileSync(join(space.directory, 'stop'), '')
    test.equal(await new Promise((resolve) => agent.once('close', resolve)), 0)

    const logs = await space.run(['logs', 'http', '--json'])
    const lines = logs.stdout.trim().split('\n')
    test.doesNotThrow(() => lines.forEach((line) => JSON.parse(line) as unknown), 'no line was cut')
    test.equal(logs.stderr, '')
  },
)

/** Takes every byte that is left. */
function fill(path: string): void {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=1'], { stdio: 'ignore' })
  } catch {
    // It ends when the disk is full.
  }
}
