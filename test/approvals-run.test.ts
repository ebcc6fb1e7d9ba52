import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PresentedApproval } from '#src/approvals/present.js'
import { collect, makeWorkspace, upstreamCa, type Workspace } from './fixtures/run.js'
import { startUpstream } from './fixtures/upstream.js'

// The real command with a real sandbox: a person decides through the socket of the run, and nothing in the sandbox can.

const TOKEN = 'ghp_R3alT0kenThatNobodyMaySee0123456789ab'
/** A terminal escape, the end of a line that looks like ours, and text that runs the other way. */
const HOSTILE = 'pay \u001b[2Jload\n  credential  none\n\u202eevil'

async function setUp(test: Test, hold: string) {
  const authority = await upstreamCa()
  const received: string[] = []
  const upstream = await startUpstream(authority, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      received.push(`${method} ${url} ${String(headers.authorization)}\n${Buffer.concat(chunks).toString()}`)
      response.writeHead(201).end('made')
    })
  })
  const space = makeWorkspace(
    `services:
  api:
    url: https://api.example
    credential:
      bearer: \${API_TOKEN}
    rules:
      - ask: POST /repos/*/issues
    allow_private_addresses: true
    ca: ./upstream-ca.pem
approvals: { hold: ${hold} }
upstream:
  hosts:
    api.example: 127.0.0.1:${String(upstream.port)}
`,
    { API_TOKEN: TOKEN },
    { 'upstream-ca.pem': authority.pem, 'body.txt': HOSTILE },
  )
  test.teardown(async () => {
    space.remove()
    await upstream.close()
  })
  return { space, received }
}

/** Asks again and again, until a request waits. */
async function waiting(space: Workspace): Promise<PresentedApproval> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const { stdout } = await space.run(['approvals', '--json'])
    if (stdout !== '') return JSON.parse(stdout) as PresentedApproval
  }
  throw new Error('no request waits')
}

const POST = `curl -sS --data-binary @body.txt -H 'Content-Type: text/x' https://api.example/repos/r/issues`

function everyLog({ auditDir }: Workspace): string {
  return readdirSync(auditDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ndjson'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('')
}

void t.test('a person sees what would be sent, approves it, and it is sent', async (test) => {
  const { space, received } = await setUp(test, '10m')
  const run = collect(space.spawn(['run', '--', 'sh', '-c', POST]))
  const approval = await waiting(space)
  test.strictSame(received, [])
  test.match(approval, {
    state: 'pending',
    method: 'POST',
    url: 'https://api.example/repos/r/issues',
    credential: 'api/bearer',
    service: 'api',
    body: { bytes: Buffer.byteLength(HOSTILE), encoding: 'utf8', content: HOSTILE, omitted: 0 },
    rules: [{ text: 'POST /repos/*/issues' }],
  })
  test.notMatch(JSON.stringify(approval), TOKEN)
  const shown = await space.run(['approvals', approval.id])
  test.match(shown.stdout, 'header      content-type: text/x')
  test.match(shown.stdout, /\| pay \\x1b\[2Jload\n {12}\| {3}credential {2}none\n {12}\| \\u\{202e\}evil\n/)
  test.match(shown.stdout, `body        ${String(Buffer.byteLength(HOSTILE))} bytes, SHA-256 `)
  const list = await space.run(['approvals'])
  test.match(list.stdout, `${approval.id}  pending`)
  for (const text of [shown.stdout, list.stdout])
    test.notMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/, 'no text of the sandbox moves a cursor')
  const approved = await space.run(['approve', approval.id.slice(0, 9), '--always'])
  test.equal(approved.code, 0, approved.stderr)
  test.match(approved.stdout, /services:\n {2}api:\n {4}rules:\n {6}- allow: "POST \/repos\/r\/issues"/)
  test.match(await run, { code: 0, stdout: 'made' })
  test.strictSame(received, [`POST /repos/r/issues Bearer ${TOKEN}\n${HOSTILE}`])
  const records = everyLog(space)
    .split('\n')
    .filter((line) => line.includes('"approval-granted"'))
    .map((line) => JSON.parse(line) as object)
  test.match(records, [
    {
      user: { id: String(process.getuid?.()) },
      egress: {
        approval: { id: approval.id, scope: 'once', via: 'socket', body_digest: approval.body.sha256 },
      },
    },
  ])
  const logs = await space.run(['logs', 'http'])
  test.match(logs.stdout, `ASK   POST https://api.example/repos/r/issues`)
  test.match(logs.stdout, `YES   POST https://api.example/repos/r/issues`)
  test.match(await space.run(['approve', approval.id]), { code: 1, stderr: /No gateway is running/ })
})

void t.test('a denial, in time and after it', async (test) => {
  const { space, received } = await setUp(test, '10m')
  const again = `${POST}; echo; ${POST}`
  const run = collect(space.spawn(['run', '--', 'sh', '-c', again]))
  const { id } = await waiting(space)
  test.match(await space.run(['deny', id]), { code: 0, stdout: /^Denied POST https:/ })
  const { stdout } = await run
  const answers = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as object)
  test.match(answers, [
    { status: 403, reason: 'approval-denied', approval: id },
    { status: 403, reason: 'approval-denied', approval: id },
  ])
  test.strictSame(received, [])
})

/** What a sandbox tries to decide for itself, once it knows the ids of its approval and of itself. */
const ATTACK = `
${POST} > /tmp/answer; sed 's/^/answer: /' /tmp/answer
until [ -f target ]; do sleep 0.1; done
. ./target
for path in "$STATE/runs/$SANDBOX.sock" /run/egress/admin.sock /proc/1/root"$STATE/runs/$SANDBOX.sock"; do
  ls -la "$path" "$STATE/runs" 2>&1
  curl -sS -m 5 --unix-socket "$path" -X POST "http://egress/approvals/$ID/approve" 2>&1
  curl -sS -m 5 --unix-socket "$path" "http://egress/approvals" 2>&1
done
for base in http://egress http://egress:9199 http://egress:3128 http://127.0.0.1 http://127.0.0.1:9199 https://egress https://api.example http://egress:9199/api; do
  curl -sS -m 5 -k --noproxy '*' -X POST "$base/approvals/$ID/approve" 2>&1; echo
  curl -sS -m 5 -k -x http://127.0.0.1:3128 -X POST "$base/approvals/$ID/approve" 2>&1; echo
  curl -sS -m 5 -k --noproxy '*' "$base/approvals" 2>&1; echo
done
${POST}; echo
echo over
`

void t.test('nothing in the sandbox can approve, or see what waits', async (test) => {
  const { space, received } = await setUp(test, '0s')
  const child = space.spawn(['run', '--', 'sh', '-c', ATTACK])
  const run = collect(child)
  const approval = await waiting(space)
  const state = join(space.directory, '.local/state/egress')
  writeFileSync(
    join(space.directory, 'target'),
    `STATE=${state}\nSANDBOX=${approval.sandbox}\nID=${approval.id}\n`,
  )
  const { stdout, code } = await run
  test.equal(code, 0)
  test.match(stdout, /over\n$/)
  test.match(stdout, new RegExp(`answer: .*"status":425,.*${approval.id}`))
  test.strictSame(received, [], 'nothing was sent')
  const log = everyLog(space)
  test.notMatch(log, '"approval-granted"')
  test.match(log, '"approval-expired"', 'and it ended with the sandbox')
  test.notMatch(stdout, approval.body.sha256, 'the list was not shown')
  test.notMatch(stdout, /\.sock\n.*srw/)
})

void t.test('the control: the same request, approved from outside', async (test) => {
  const { space, received } = await setUp(test, '0s')
  const script = `${POST} > /dev/null; until [ -f go ]; do sleep 0.1; done; ${POST}`
  const run = collect(space.spawn(['run', '--', 'sh', '-c', script]))
  const { id } = await waiting(space)
  test.match(await space.run(['approve', id, '--for', '5m', '--once']), { code: 2 })
  test.match(await space.run(['approve', 'ap-0000000000']), { code: 1, stderr: /No approval/ })
  test.match(await space.run(['approve', id, '--for', '5m']), { code: 0, stdout: /again and again until/ })
  writeFileSync(join(space.directory, 'go'), '')
  test.match(await run, { code: 0, stdout: 'made' })
  test.equal(received.length, 1)
})
