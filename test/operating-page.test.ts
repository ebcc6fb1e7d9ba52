import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { exampleProject } from './fixtures/example-project.js'
import { skipWithoutNetworks } from './fixtures/own-network.js'

// The operator's page from its first line to its last: each command of its shell blocks, in their order, with a run and a gateway.

t.setTimeout(280_000)

const PAGE = fileURLToPath(new URL('../../docs/operating.md', import.meta.url))

/** Commands of the blocks for a shell, without their comments. */
function commandsOf(page: string): string[] {
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) => block.split('\n'))
  return blocks.map((line) => line.replace(/ {2,}# .*$/, '').trim()).filter((line) => line !== '')
}

/** With Docker: tried by the files of tests that have an engine. */
const isForDocker = (line: string) => line.includes('docker compose')

/** What each command must print. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  'egress sandboxes': /^SANDBOX +AGENT +STATE +AGE +ALLOWED +DENIED +FAILED +COMMAND\nsb-\S+ +ci +running/,
  'egress sandboxes --json': /^\{"id":"sb-/,
  'egress pause ci': /^Paused the network of ci/,
  'egress resume ci': /^Resumed the network of ci/,
  'egress stop sb-4f6c01aa3d': /^Stopped sb-/,
  'egress stop --all': /^Stopped \d sandbox/,
  'egress start': /^New sandboxes are started again/,
  'openssl rand -hex 32 > egress-admin-token': /^$/,
  'EGRESS_OTLP_ENDPOINT=http://127.0.0.1:4318 egress run -- python3 my_agent.py': /api\.example\/items 200/,
  'curl --unix-socket /run/egress/admin.sock http://egress/health': /"status":"ok"/,
  'curl --unix-socket /run/egress/admin.sock http://egress/policy': /"text":".*Service api, at https/,
  'curl -H "Authorization: Bearer $(cat egress-admin-token)" http://127.0.0.1:9901/health': /"status":"ok"/,
}

void t.test('each command of docs/operating.md', { skip: skipWithoutNetworks() }, async (test) => {
  const { work, home, shell, beside, serve } = await exampleProject(test)
  const lines = commandsOf(readFileSync(PAGE, 'utf8')).filter((line) => !isForDocker(line))
  test.ok(lines.length >= Object.keys(EXPECTED).length, lines.join('\n'))
  const run = await beside('egress run --agent ci -- sh -c "echo up; sleep 600"', /^up$/m)
  const [sandbox = ''] = /sb-[0-9a-f]{10}/.exec((await shell('egress sandboxes')).stdout) ?? []
  let gateway: Awaited<ReturnType<typeof serve>> | null = null
  for (const line of lines) {
    if (line.startsWith('egress serve')) {
      gateway = await serve(line)
      continue
    }
    const expected = EXPECTED[line]
    if (expected === undefined) {
      test.fail(`no expectation for: ${line}`)
      continue
    }
    const here = line.replace('sb-4f6c01aa3d', sandbox).replace('/run/egress/', `${join(home, 'run')}/`)
    // The port is in the network of the gateway.
    const typed = line.startsWith('curl -H')
      ? `nsenter -t ${String(gateway?.pid)} -U -n --preserve-credentials sh -c '${here}'`
      : here
    const { code, stdout, stderr } = await shell(typed)
    test.equal(code, 0, `${line}: ${stderr}`)
    test.match(stdout, expected, line)
  }
  test.ok(gateway !== null, 'a gateway was started')
  test.equal(readFileSync(join(work, 'egress-admin-token'), 'utf8').trim().length, 64)
  await run.stop()
  await gateway?.stop()
})
