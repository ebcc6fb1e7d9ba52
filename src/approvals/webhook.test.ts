import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { eventually } from '#test/fixtures/eventually.js'
import { listen } from '#test/fixtures/upstream.js'
import { WebhookSender } from './webhook.js'

const KEY = 'correct-horse-battery-staple'

interface Got {
  readonly signature: string
  readonly body: string
}

/** @param statuses of the answers, in order; afterwards 204 */
async function receive(t: Test, statuses: readonly number[]) {
  const got: Got[] = []
  const warnings: string[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      got.push({ signature: String(request.headers['egress-signature']), body })
      response.writeHead(statuses[got.length - 1] ?? 204, { location: '/elsewhere' }).end()
    })
  })
  const port = await listen(server)
  const sender = new WebhookSender({
    now: () => 1_700_000_000_000,
    warn: (message) => warnings.push(message),
    pausesMs: [1, 1],
  })
  t.teardown(() => {
    sender.close()
    server.close()
    server.closeAllConnections()
  })
  const to = { url: `http://127.0.0.1:${String(port)}/hook`, secret: new Secret('KEY', KEY) }
  return { got, warnings, sender, to }
}

void t.test('a message is signed, and sent until it is taken', async (t) => {
  const { got, warnings, sender, to } = await receive(t, [500, 302])
  sender.send(to, { n: 1 })
  sender.send(to, { n: 2 })
  t.ok(await eventually(() => got.length === 4))
  t.strictSame(
    got.map(({ body }) => body),
    ['{"n":1}', '{"n":1}', '{"n":1}', '{"n":2}'],
    'in order, and a redirect is not followed',
  )
  for (const { signature, body } of got) {
    const expected = createHmac('sha256', KEY).update(`1700000000.${body}`).digest('hex')
    t.equal(signature, `t=1700000000,v1=${expected}`)
  }
  t.strictSame(warnings, [])
})

void t.test('a receiver that is away costs a warning, and only so many messages wait', async (t) => {
  const { got, warnings, sender, to } = await receive(t, [503, 503, 503])
  for (let n = 0; n < 70; n += 1) sender.send(to, { n })
  t.ok(await eventually(() => got.at(-1)?.body === '{"n":69}'))
  t.equal(warnings.filter((warning) => warning.includes('dropped')).length, 5)
  t.match(warnings.at(-1), /could not be reached \(status 503\)/)
  t.notMatch(got.map(({ body }) => body).join(), '{"n":5}')
})
