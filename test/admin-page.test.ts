import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import t, { type Test } from 'tap'
import { approvalRoutes } from '#src/approvals/routes.js'
import { serveAdmin } from '#src/control/listener.js'
import { json } from '#src/control/route.js'
import type { ApprovalEvent } from '#src/events/events.js'
import { LiveFeed } from '#src/page/live-feed.js'
import { pageRoutes } from '#src/page/routes.js'
import { Desk } from '#src/approvals/desk.js'
import { dnsEvent } from './fixtures/recorded-events.js'
import type { ApprovalRequest } from '#proxy/contracts/approvals.js'

// The page of the admin listener in a real browser, with names, paths and bodies that would like to be more than text.

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path))
const SKIP = CHROMIUM === undefined ? { skip: 'chromium is not installed' } : {}
const TOKEN = 'correct-horse-battery-staple'
const HOSTILE = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>\u202e\u001b[2J`
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

function requestOf(n: number): ApprovalRequest {
  return {
    key: `key-${String(n)}`,
    requestId: `00000000-0000-4000-8000-00000000000${String(n)}`,
    sandbox: { id: 'sb-1', agent: HOSTILE },
    kind: 'request',
    method: 'POST',
    origin: { scheme: 'https', host: 'api.example', port: 443 },
    target: `/repos/${String(n)}/${encodeURI(HOSTILE)}`,
    headers: { 'x-hostile': HOSTILE, 'content-type': 'application/json' },
    body: Buffer.from(HOSTILE),
    digest: 'a'.repeat(64),
    operations: null,
    rules: [
      {
        effect: 'ask',
        kind: 'http',
        match: {
          methods: null,
          path: { text: '/**', segments: [], recursive: true, loose: [] },
          parameter: null,
        },
        text: '* /**',
        id: 'services.api.rules[0]',
      },
    ],
    service: 'api',
    credential: 'api/bearer',
  }
}

async function setUp(test: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'egress-page-'))
  const feed = new LiveFeed()
  const events: ApprovalEvent[] = []
  const desk = new Desk({
    record(event) {
      events.push(event)
      feed.take(new Date(event.at).toISOString(), { type: 'approval', event })
    },
    now: Date.now,
  })
  const sandboxes = [
    {
      id: 'sb-1',
      agent: HOSTILE,
      state: 'running',
      command: 'sh',
      requests: { allowed: 1, denied: 2, failed: 0, limited: 0 },
    },
  ]
  const admin = await serveAdmin({
    routes: [
      ...pageRoutes({
        feed,
        budgets: () => [{ sandbox: 'sb-1', wildcard: '*.wild.example', bytes: 30, limit: 100 }],
        policy: () => Promise.resolve(`Service api\n  may use ${HOSTILE}\n`),
      }),
      ...approvalRoutes(() => desk),
      { method: 'GET', path: '/sandboxes', handle: () => json({ sandboxes }) },
    ],
    socket: join(directory, 'run', 'admin.sock'),
    tcp: { host: '127.0.0.1', port: 0, token: TOKEN, hosts: [], isSandbox: () => false },
    fail: (error) => test.fail(String(error)),
  })
  let asked = 0
  const submit = () => {
    asked += 1
    return desk.submit(requestOf(asked), 600_000, () => ({
      tryReserve: () => true,
      reserve: () => undefined,
      release: () => undefined,
    }))
  }
  const browser: Browser = await puppeteer.launch({
    executablePath: CHROMIUM ?? '',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    userDataDir: join(directory, 'profile'),
  })
  test.teardown(async () => {
    await browser.close()
    desk.close()
    admin.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${String(admin.port)}/`
  const open = async (): Promise<{ page: Page; problems: string[] }> => {
    const page = await browser.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    await page.goto(url)
    await page.type('#token', TOKEN)
    await page.keyboard.press('Enter')
    await until(page, "document.querySelector('#approvals-section:not([hidden])') !== null")
    return { page, problems }
  }
  const decide = (what: string, verdict: 'allow' | 'deny', agent: string) =>
    feed.take(new Date().toISOString(), {
      type: 'decision',
      event: {
        ...{
          at: Date.now(),
          id: 'id',
          sandbox: { id: 'sb-1', agent },
          peer: { address: '10.0.0.1', port: 1 },
        },
        ...{
          listener: 'transparent',
          kind: 'request',
          method: 'GET',
          scheme: 'https',
          host: 'a.example',
          port: 443,
        },
        ...{ path: what, query: null, verdict, reason: verdict === 'deny' ? 'no-rule' : null, detail: null },
        ...{ rule: null, status: null, service: null, credential: null, address: null },
      } as never,
    })
  const ask = (name: string, suspicious = false, verdict: 'allow' | 'deny' = 'deny') => {
    const event = dnsEvent({
      agent: 'ci',
      name,
      verdict,
      reason: verdict === 'deny' ? 'host-not-listed' : null,
    })
    const sandbox = { id: 'sb-1', agent: 'ci' }
    feed.take(new Date().toISOString(), { type: 'query', event: { ...event, sandbox, suspicious } })
  }
  const close = (id: string) =>
    feed.take(new Date().toISOString(), {
      type: 'close',
      event: {
        ...{ at: Date.now(), id, sandbox: { id: 'sb-1', agent: 'ci' }, host: 'a.example', service: null },
        ...{ credential: null, outcome: 'success', reason: null, detail: HOSTILE, status: 200 },
        ...{
          requestBytes: 7,
          responseBytes: 4321,
          durationMs: 12.3,
          redactions: [{ credential: 'x', count: 2 }],
        },
      },
    })
  return { url, desk, events, submit, open, decide, ask, close }
}

/** The value of an expression in the page: through the debugger, which no policy of the page concerns. */
const valueOf = async <T>(page: Page, expression: string): Promise<T> =>
  (await page.evaluate(expression)) as T

async function until(page: Page, expression: string): Promise<void> {
  for (
    const end = Date.now() + 20_000;
    Date.now() < end;
    await new Promise((resolve) => setTimeout(resolve, 20))
  )
    if (await valueOf<boolean>(page, expression)) return
  const status = await valueOf<string>(page, "document.querySelector('#status').textContent")
  throw new Error(`never: ${expression}; ${status}`)
}

const rows = (page: Page) =>
  valueOf<string[]>(page, "[...document.querySelectorAll('#decisions li')].map((one) => one.textContent)")

void t.test('live decisions and their filters; what a sandbox chose is text', SKIP, async (test) => {
  const { open, decide } = await setUp(test)
  decide('/before', 'allow', 'ci')
  const { page, problems } = await open()
  await until(page, "document.querySelectorAll('#decisions li').length === 1")
  decide(`/${HOSTILE}`, 'deny', HOSTILE)
  decide('/after', 'allow', 'other')
  await until(page, "document.querySelectorAll('#decisions li').length === 3")
  test.match((await rows(page))[1], /<script>document\.title='owned'<\/script>\\u\{202e\}\\u\{1b\}/)
  test.equal(await page.title(), 'egress')
  test.equal(await valueOf(page, "document.querySelectorAll('main img, main script').length"), 0)
  await page.select('#filter-verdict', 'deny')
  test.equal((await rows(page)).length, 1)
  await page.select('#filter-verdict', '')
  await page.type('#filter-agent', 'other')
  test.match(await rows(page), [/after/])
  decide('/hidden', 'allow', 'ci')
  decide('/shown', 'allow', 'other')
  await until(page, "document.querySelectorAll('#decisions li').length === 2")
  test.match((await rows(page)).join('\n'), /shown[^]*after/)
  await until(page, "document.querySelector('#budgets progress') !== null")
  test.equal(await valueOf(page, "document.querySelector('#budgets progress').position"), 0.3)
  await until(page, "document.querySelector('#sandboxes li') !== null")
  test.strictSame(problems, [])
})

void t.test('names: attempts to carry data out come first, and are marked', SKIP, async (test) => {
  const { open, ask } = await setUp(test)
  for (let i = 0; i < 9; i += 1) ask('plain.example', false, 'allow')
  for (let i = 0; i < 3; i += 1) ask(`7f3a9c${String(i)}e1.tunnel.example`, true)
  ask(HOSTILE)
  const { page, problems } = await open()
  const first = "document.querySelector('#names li')"
  await until(page, `${first} !== null`)
  test.match(
    await valueOf(page, `${first}.textContent`),
    /^tunnel\.example 3 of 3 queries look like data carried out/,
  )
  test.match(
    await valueOf(page, `${first}.textContent`),
    /Names: 3, with \d+ characters before the domain\. From sb-1/,
  )
  test.equal(await valueOf(page, `${first}.className`), 'attempt')
  test.equal(await valueOf(page, "document.querySelectorAll('#names li.attempt').length"), 1)
  test.match(await valueOf(page, "document.querySelector('#names').textContent"), /<script>/)
  await page.select('#filter-verdict', 'suspicious')
  test.equal((await rows(page)).length, 3)
  ask('another.tunnel.example', true)
  await until(page, `${first}.textContent.includes('4 of 4')`)
  test.equal(await page.title(), 'egress')
  test.strictSame(problems, [])
})

void t.test(
  'one request from its query to its end, by keyboard; the last hour; the policy',
  SKIP,
  async (test) => {
    const { open, ask, decide, close } = await setUp(test)
    ask('a.example', false, 'allow')
    ask('b.example', false, 'allow')
    decide('/story', 'allow', 'ci')
    close('id')
    const { page, problems } = await open()
    await until(page, "document.querySelectorAll('#decisions li').length === 3")
    await page.focus('#decisions li button')
    await page.keyboard.press('Enter')
    const story = await valueOf<string[]>(
      page,
      "[...document.querySelectorAll('#story h3')].map((one) => one.textContent)",
    )
    test.match(story, [/ALLOW DNS A a\.example$/, /ALLOW GET https:\/\/a\.example\/story$/, /END end: 200$/])
    const told = await valueOf<string>(page, "document.querySelector('#story').textContent")
    test.match(told, /bytes down4321/)
    test.match(told, /secrets taken out2/)
    test.match(told, '<script>')
    test.equal(await valueOf(page, 'document.activeElement.id'), 'story-title')
    await until(page, "document.querySelector('#timeline rect.allow') !== null")
    test.match(
      await valueOf(page, "document.querySelector('#timeline').getAttribute('aria-label')"),
      'Decisions by the minute: 3 allowed, 0 denied, 0 look like data carried out',
    )
    await page.click('details summary')
    test.match(await valueOf(page, "document.querySelector('#timeline-rows').textContent"), /^\d\d:\d\d/)
    await until(page, "document.querySelector('#policy').textContent !== ''")
    test.match(
      await valueOf(page, "document.querySelector('#policy').textContent"),
      /^Service api\n {2}may use ">.*<script>/,
    )
    test.equal(await valueOf(page, "document.querySelectorAll('main img, main script').length"), 0)
    test.equal(await page.title(), 'egress')
    test.strictSame(problems, [])
  },
)

void t.test('approve and deny, by click and by keyboard', SKIP, async (test) => {
  const { open, submit, desk, events } = await setUp(test)
  submit()
  const { page, problems } = await open()
  await until(page, "document.querySelector('#approvals li') !== null")
  test.match(await valueOf(page, "document.querySelector('#approvals pre').textContent"), '<script>')
  test.equal(await page.title(), '(1) egress')
  await page.click('#approvals button')
  await until(page, "document.querySelectorAll('#approvals li').length === 0")
  test.match(desk.list(), [{ state: 'granted', repeats: false }])
  submit()
  await until(page, "document.querySelector('#approvals li') !== null")
  // From the body of the request on: approve once, approve for a while, deny.
  await page.focus('#approvals pre')
  for (let i = 0; i < 3; i += 1) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await until(page, "document.querySelectorAll('#approvals li').length === 0")
  test.match(desk.list(), [{ state: 'granted' }, { state: 'denied' }])
  test.match(
    events.filter(({ by }) => by !== null),
    [
      { action: 'approval-granted', by: { via: 'token' } },
      { action: 'approval-denied', by: { via: 'token' } },
    ],
  )
  test.strictSame(problems, [])
})

void t.test(
  'nothing without the token, from another origin, or that the policy of the page forbids',
  SKIP,
  async (test) => {
    const { url, open, submit, desk } = await setUp(test)
    submit()
    const id = desk.list()[0]?.id ?? ''
    const target = `${url}approvals/${id}/approve`
    test.equal((await fetch(target, { method: 'POST', body: '{}' })).status, 401)
    const authorization = `Bearer ${TOKEN}`
    const foreign = { authorization, origin: 'https://attacker.example' }
    test.equal((await fetch(target, { method: 'POST', body: '{}', headers: foreign })).status, 403)
    test.equal(desk.list()[0]?.state, 'pending')
    const answer = await fetch(url)
    const policy = answer.headers.get('content-security-policy') ?? ''
    test.match(
      policy,
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'/,
    )
    test.notMatch(policy, /unsafe|https?:/)
    test.notMatch(await answer.text(), TOKEN)
    const { page } = await open()
    const ran = await valueOf(
      page,
      `(() => {
        const script = document.createElement('script')
        try {
          script.text = 'window.owned = true'
        } catch {
          return 'refused'
        }
        document.body.append(script)
        return 'owned' in window ? 'ran' : 'refused'
      })()`,
    )
    test.equal(ran, 'refused')
  },
)

void t.test(
  '400 pixels wide, light and dark: nothing sticks out, and axe finds nothing serious',
  SKIP,
  async (test) => {
    const { open, submit, decide, ask, close } = await setUp(test)
    submit()
    ask(`${'long'.repeat(10)}.tunnel.example`, true)
    close('id')
    decide(`/${'long'.repeat(100)}`, 'allow', 'ci')
    decide('/denied', 'deny', 'ci')
    const { page } = await open()
    await until(page, "document.querySelector('#approvals li') !== null")
    await until(page, "document.querySelector('#budgets progress') !== null")
    await until(page, "document.querySelector('#names li') !== null")
    await page.click('#decisions li button')
    await page.click('details summary')
    for (const theme of ['light', 'dark'] as const)
      for (const width of [400, 1280]) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }])
        await page.setViewport({ width, height: 800 })
        const over = await valueOf<number>(page, 'document.documentElement.scrollWidth - window.innerWidth')
        test.ok(over <= 0, `${theme}, ${String(width)}: ${String(over)}`)
        // Through the debugger, which no policy of the page concerns.
        await page.evaluate(readFileSync(AXE, 'utf8'))
        const found = await valueOf<string[]>(
          page,
          `axe.run().then(({ violations }) => violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`,
        )
        test.strictSame(found, [], `${theme}, ${String(width)}`)
      }
  },
)
