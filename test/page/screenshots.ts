import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer from 'puppeteer-core'
import type { ApprovalRequest } from '#proxy/contracts/approvals.js'
import { Desk } from '#src/approvals/desk.js'
import { approvalRoutes } from '#src/approvals/routes.js'
import { serveAdmin } from '#src/control/listener.js'
import { json } from '#src/control/route.js'
import { LiveFeed } from '#src/page/live-feed.js'
import { pageRoutes } from '#src/page/routes.js'
import { dnsEvent, httpDecision } from '../fixtures/recorded-events.js'

// Pictures of the page for the documentation: `npm run docs:page`.

const TOKEN = '0123456789abcdef0123456789abcdef'
const MINUTE_MS = 60_000
const WIDTH = 1000
const HEIGHT = 1250
const SANDBOX = { id: 'sb-4f6c01aa3d', agent: 'ci' }
const RULE: ApprovalRequest['rules'][0] = {
  effect: 'ask',
  kind: 'http',
  match: {
    methods: ['POST'],
    path: { text: '/rest/api/3/issue', segments: [], recursive: false, loose: [] },
    parameter: null,
  },
  text: 'POST /rest/api/3/issue',
  id: 'services.jira.rules[1]',
}
const POLICY = `Service jira, at https://jira.example.com
  credential jira/bearer: sets \`Authorization: Bearer <token>\`
  1. may use GET on /rest/api/**
  2. may, if a person approves, use POST on /rest/api/3/issue
  3. may not do anything else

Agents:
  ci may use services jira and every entry of allow

No wildcards: DNS names cannot carry data out.`

/** An hour of an agent that works, and of a dependency that tries to send something out. */
function anHour(feed: LiveFeed, at: (ms: number) => void): void {
  const start = Date.UTC(2026, 0, 31, 11, 0)
  const isoOf = (ms: number) => new Date(ms).toISOString()
  const ask = (ms: number, name: string, suspicious = false) => {
    const verdict = suspicious || name.includes('telemetry') ? 'deny' : 'allow'
    const reason = suspicious ? 'name-looks-encoded' : verdict === 'deny' ? 'host-not-listed' : null
    const event = dnsEvent({ agent: 'ci', name, verdict, reason })
    feed.take(isoOf(ms), { type: 'query', event: { ...event, sandbox: SANDBOX, suspicious } })
  }
  for (let minute = 0; minute < 60; minute += 1) {
    const ms = start + minute * MINUTE_MS
    at(ms)
    for (let n = 0; n < 3 + ((minute * 7) % 11); n += 1) {
      const id = `${String(minute)}-${String(n)}`
      ask(ms, 'jira.example.com')
      const path = `/rest/api/3/issue/OPS-${String(100 + n)}`
      const given = { id, sandbox: SANDBOX, host: 'jira.example.com', path, service: 'jira' }
      const event = httpDecision({
        ...given,
        credential: 'jira/bearer',
        verdict: 'allow',
        rule: 'services.jira.rules[0]',
      })
      feed.take(isoOf(ms + n), { type: 'decision', event })
      feed.take(isoOf(ms + n + 40), {
        type: 'close',
        event: {
          ...{
            at: ms,
            id,
            sandbox: SANDBOX,
            host: 'jira.example.com',
            service: 'jira',
            credential: 'jira/bearer',
          },
          ...{
            outcome: 'success',
            reason: null,
            detail: null,
            status: 200,
            requestBytes: 0,
            responseBytes: 5321,
          },
          ...{ durationMs: 38, redactions: [] },
        },
      })
    }
    if (minute % 9 === 0) ask(ms, 'telemetry.example.net')
    if (minute > 52)
      for (let n = 0; n < 4; n += 1)
        ask(ms, `${(minute * 4096 + n * 977).toString(16).repeat(5)}.collector.example`, true)
  }
}

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path))
if (executablePath === undefined) throw new Error('Install chromium')
const directory = mkdtempSync(join(tmpdir(), 'egress-pictures-'))
let now = Date.UTC(2026, 0, 31, 11, 59)
const feed = new LiveFeed(() => now)
anHour(feed, (ms) => (now = ms))
const desk = new Desk({ record: () => undefined, now: () => now })
const reserved = { tryReserve: () => true, reserve: () => undefined, release: () => undefined }
const body = Buffer.from('{"fields":{"summary":"Nightly build is red"}}')
void desk.submit(
  {
    ...{ key: 'k', requestId: '00000000-0000-4000-8000-000000000001', sandbox: SANDBOX, kind: 'request' },
    ...{ method: 'POST', origin: { scheme: 'https', host: 'jira.example.com', port: 443 } },
    ...{ target: '/rest/api/3/issue', headers: { 'content-type': 'application/json' }, body },
    ...{ digest: '5b1f1d64c1e0aa7f5d2b8a0c'.padEnd(64, '3'), operations: null, rules: [RULE] },
    ...{ service: 'jira', credential: 'jira/bearer' },
  },
  600_000,
  () => reserved,
)
const requests = { allowed: 412, denied: 39, failed: 0, limited: 0 }
const sandboxes = [{ ...SANDBOX, state: 'running', command: 'python3', requests }]
const admin = await serveAdmin({
  routes: [
    ...pageRoutes({
      feed,
      budgets: () => [{ sandbox: SANDBOX.id, wildcard: '*.cdn.example.com', bytes: 412, limit: 2048 }],
      policy: () => Promise.resolve(POLICY),
    }),
    ...approvalRoutes(() => desk),
    { method: 'GET', path: '/sandboxes', handle: () => json({ sandboxes }) },
  ],
  socket: join(directory, 'run', 'admin.sock'),
  tcp: { host: '127.0.0.1', port: 0, token: TOKEN, hosts: [], isSandbox: () => false },
  fail: (error) => console.error(error),
})
const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-device-scale-factor=1']
const browser = await puppeteer.launch({ executablePath, args, userDataDir: join(directory, 'profile') })
try {
  const page = await browser.newPage()
  await page.setViewport({ width: WIDTH, height: HEIGHT })
  await page.goto(`http://127.0.0.1:${String(admin.port)}/`)
  await page.type('#token', TOKEN)
  await page.keyboard.press('Enter')
  await page.waitForSelector('#names li.attempt')
  await page.waitForSelector('#timeline rect')
  await page.waitForSelector('#decisions li')
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }])
    await page.screenshot({ path: `docs/page-${theme}.png`, optimizeForSpeed: false })
    console.log(`docs/page-${theme}.png`)
  }
} finally {
  await browser.close()
  desk.close()
  admin.close()
  rmSync(directory, { recursive: true, force: true })
}
