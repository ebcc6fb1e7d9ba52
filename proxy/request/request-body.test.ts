import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Headers } from '#firewall/contracts/credential.js'
import { MemoryBudget } from '#firewall/ledger/memory-budget.js'
import { UnsupportedBody } from '../contracts/errors.js'
import { deny } from '../contracts/denial.js'
import { FormInspector } from './form-inspector.js'
import { RequestBody } from './request-body.js'

function bodyOf(chunks: readonly string[], parts: { limit?: number; memory?: number; form?: boolean } = {}) {
  const { limit = 1_000, memory = 1_000, form = false } = parts
  const budget = new MemoryBudget()
  const reservation = budget.open('a', { own: memory, all: memory })
  const headers: Headers = { 'content-length': 'of the client' }
  // One by one, or they are read as one.
  const source = Readable.from(
    (async function* () {
      for (const chunk of chunks) {
        yield Buffer.from(chunk)
        await sleep(5)
      }
    })(),
  )
  const begun = { count: 0 }
  const downstream = {
    body: () => {
      begun.count += 1
      return source
    },
  }
  const inspector = form
    ? new FormInspector('urlencoded', (method) => (method === 'PUT' ? null : deny('no-rule')))
    : null
  const body = new RequestBody(downstream, headers, limit, reservation, inspector)
  return { body, headers, budget, source, begun }
}

async function textOf(content: Readable | Buffer): Promise<string> {
  if (Buffer.isBuffer(content)) return content.toString()
  let text = ''
  for await (const chunk of content as AsyncIterable<Buffer>) text += chunk.toString()
  return text
}

void t.test('a body passes as it came, and is not begun before it is asked for', async (t) => {
  const { body, headers, begun, budget } = bodyOf(['ab', 'cd'])
  t.strictSame([begun.count, body.bytes, body.isReplaced], [0, 0, false])
  t.equal(await textOf(body.content()), 'abcd')
  t.strictSame([begun.count, body.bytes, body.failure, body.forbidden], [1, 4, null, null])
  t.strictSame([headers, budget.total], [{ 'content-length': 'of the client' }, 0])
})

void t.test('a body that is longer than the policy allows is cut', async (t) => {
  t.equal(await textOf(bodyOf(['12345', '678'], { limit: 8 }).body.content()), '12345678')
  const { body } = bodyOf(['12345', '6789'], { limit: 8 })
  await t.rejects(textOf(body.content()))
  t.match(body.failure, { reason: 'too-large' })
})

void t.test('a body that is read is held, counted, and given back', async (t) => {
  const { body, headers, budget } = bodyOf(['abc', 'def'])
  t.equal(String(await body.read(6)), 'abcdef')
  t.strictSame([headers['content-length'], body.isReplaced, budget.total], ['6', false, 6])
  t.equal(await textOf(body.content()), 'abcdef')
  body.release()
  t.equal(budget.total, 0)
  t.equal(await bodyOf(['abc', 'def']).body.read(5), null, 'too long for who reads it')
  await t.rejects(bodyOf(['abc', 'def'], { memory: 5 }).body.read(6), { code: 'EGRESS_MEMORY_LIMIT' })
})

void t.test('a body that is replaced is another one, and that of the client is read away', async (t) => {
  const { body, headers, source } = bodyOf(['abc'])
  body.replace(Buffer.from('other'))
  t.strictSame([headers['content-length'], body.isReplaced], ['5', true])
  t.equal(await textOf(body.content()), 'other')
  await sleep(50)
  t.ok(source.readableEnded)
})

void t.test('a body that is changed on its way', async (t) => {
  async function* upper(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) yield Buffer.from(chunk.toString().toUpperCase())
  }
  for (const length of [6, null]) {
    const { body, headers, budget } = bodyOf(['abc', 'def'])
    body.transform(upper, length)
    t.equal(headers['content-length'], length === null ? undefined : '6')
    t.equal(await textOf(body.content()), 'ABCDEF')
    t.strictSame([budget.total, body.failure, body.isReplaced], [0, null, false])
  }
  const held = bodyOf(['abc', 'def'], { memory: 5 })
  held.body.transform(async function* (chunks) {
    const all = []
    for await (const chunk of chunks) all.push(chunk)
    yield Buffer.concat(all)
  }, null)
  await t.rejects(textOf(held.body.content()))
  t.match(held.body.failure, { reason: 'busy' })
  const odd = bodyOf(['abc'])
  odd.body.transform(async function* (chunks) {
    yield* chunks
    throw new UnsupportedBody('not of this form')
  }, null)
  await t.rejects(textOf(odd.body.content()))
  t.match(odd.body.failure, { reason: 'credential-unsupported', detail: 'not of this form' })
})

void t.test('what still comes of a body that was given up takes no memory', async (t) => {
  const { body, budget } = bodyOf(['abc', 'def', 'ghi'], { memory: 4 })
  let seen = ''
  body.transform(async function* (chunks) {
    for await (const chunk of chunks) {
      seen += chunk.toString()
      body.release()
    }
    yield Buffer.alloc(0)
  }, null)
  await textOf(body.content())
  t.strictSame([seen, budget.total, body.bytes], ['abc', 0, 9])
})

void t.test('a form that is not allowed fails the body, with its denial', async (t) => {
  const fine = bodyOf(['a=1&_method=PUT'], { form: true })
  t.equal(await textOf(fine.body.content()), 'a=1&_method=PUT')
  t.equal(fine.body.forbidden, null)
  const { body } = bodyOf(['a=1&_method=DELETE'], { form: true })
  await t.rejects(textOf(body.content()))
  t.match(body.forbidden, { reason: 'no-rule' })
  t.equal(body.failure, null)
  t.equal(String(await bodyOf(['a=1&_method=PUT'], { form: true }).body.read(100)), 'a=1&_method=PUT')
})
