import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { Headers } from '#firewall/contracts/credential.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Downstream } from '../downstream/downstream.js'
import { encodedForms } from '../redaction/encoded-forms.js'
import type { InTurn } from '../contracts/in-turn.js'
import { UnreadableMessage } from '../redaction/body-redactor.js'
import { createDecoder } from '../redaction/content-coding.js'
import { Redactor } from '../redaction/redact.js'
import { Tally } from '../redaction/tally.js'
import type { BodyForm } from '../redaction/redactor-for.js'
import { ResponseBody } from './response-body.js'

const TOKEN = 'real-token-0123456789abcdef'
const PATTERNS = new SecretPatterns(encodedForms(TOKEN))

/** Folds a text into lines that are too short to be kept for long. */
const folded = (text: string) => text.replace(/.{10}/g, '$&\n')

function pass(inTurn: InTurn) {
  let received = ''
  const downstream = {
    sendsNow: true,
    flush: () => undefined,
    onDrain: () => undefined,
    write: (chunk: Buffer) => {
      received += chunk.toString('latin1')
      return true
    },
    end: (_trailers: null, onWritten: () => void) => {
      onWritten()
    },
  } as unknown as Downstream
  const nothing = () => undefined
  const redactor = new Redactor(PATTERNS, new Tally())
  const body = new ResponseBody({ decode: null, redactor }, null, downstream, nothing, nothing, inTurn)
  return { body, received: () => received }
}

const SOURCE = { pause: () => undefined, resume: () => undefined }

void t.test(
  'a line that goes on in what has come already does not pass, however busy the gateway is',
  async (t) => {
    let turns = Promise.resolve()
    const { body, received } = pass((work) => {
      turns = turns.then(() => sleep(120)).then(work)
    })
    const text = `the token:\n${folded(TOKEN)}\n`
    const cut = text.indexOf('\n', text.indexOf('real-token')) + 1
    body.write(Buffer.from(text.slice(0, cut)), SOURCE)
    body.write(Buffer.from(text.slice(cut)), SOURCE)
    await new Promise<void>((resolve) => {
      body.end(null, resolve)
    })
    t.notOk(received().includes(TOKEN.slice(0, 5)), received())
    t.equal(received().length, text.length)
  },
)

void t.test('a line behind which nothing comes passes soon', async (t) => {
  const { body, received } = pass((work) => {
    work()
  })
  body.write(Buffer.from('a line\nthe last\n'), SOURCE)
  await sleep(500)
  t.equal(received(), 'a line\nthe last\n')
  body.destroy()
})

/** A body whose client takes so many writes before it asks to wait. */
function slow(takes: number, form: Partial<BodyForm> = {}) {
  const told: string[] = []
  let drain = () => undefined as unknown
  let isFull = false
  const downstream = {
    sendsNow: true,
    flush: () => told.push('flush'),
    onDrain: (listener: () => void) => {
      told.push('asked')
      drain = listener
    },
    write: (chunk: Buffer) => {
      told.push(`${chunk.toString('latin1', 0, 3)}${String(chunk.length)}`)
      takes -= 1
      isFull = takes <= 0
      return !isFull
    },
    end: (trailers: Headers | null, onWritten: () => void) => {
      told.push(`end ${trailers === null ? '' : Object.keys(trailers).join()}`)
      onWritten()
    },
  } as unknown as Downstream
  const source = { pause: () => told.push('pause'), resume: () => told.push('resume') }
  const begin = () => told.push('begin')
  const onFailure = (error: Error) => told.push(`failed ${error.message}`)
  const redactor = {
    push: (chunk: Buffer) => chunk,
    flush: () => Buffer.alloc(0),
    idle: () => Buffer.alloc(0),
    waitsForLine: false,
  }
  const body = (inTurn?: InTurn, part: { skip: number; take: number } | null = null) =>
    new ResponseBody(
      { decode: null, redactor, ...form },
      part as ConstructorParameters<typeof ResponseBody>[1],
      downstream,
      begin,
      onFailure,
      inTurn,
    )
  return { body, told, source, drain: () => drain() }
}

void t.test('the source waits while the client does, and for its turn', (t) => {
  const { body, told, source, drain } = slow(1)
  const one = body()
  one.write(Buffer.alloc(0), source)
  t.strictSame(told, [])
  one.write(Buffer.from('abc'), source)
  t.strictSame(told.splice(0), ['begin', 'abc3', 'pause', 'asked'])
  one.write(Buffer.from('def'), source)
  t.strictSame(told.splice(0), ['begin', 'def3'], 'asked once')
  drain()
  t.strictSame(told.splice(0), ['resume'])
  one.end({ 'x-sum': '1' }, () => told.push('written'))
  t.strictSame(told, ['begin', 'end x-sum', 'written'])
  one.end(null, () => told.push('twice'))
  t.equal(told.length, 3)

  const waiting: (() => void)[] = []
  const later = slow(99)
  const two = later.body((work) => waiting.push(work))
  two.write(Buffer.alloc(40_000, 'x'), later.source)
  t.strictSame(later.told.splice(0), ['pause'])
  t.equal(waiting.length, 1, 'by pieces')
  waiting.shift()?.()
  waiting.shift()?.()
  t.strictSame(later.told.splice(0), ['begin', 'xxx16384', 'begin', 'xxx16384'])
  waiting.shift()?.()
  t.strictSame(later.told.splice(0), ['begin', 'xxx7232', 'resume'])
  two.write(Buffer.from('late'), later.source)
  two.destroy()
  waiting.shift()?.()
  t.strictSame(later.told, ['pause'], 'nothing is written of what was given up')

  const full = slow(1)
  const three = full.body((work) => waiting.push(work))
  three.write(Buffer.alloc(20_000, 'x'), full.source)
  while (waiting.length > 0) waiting.shift()?.()
  t.strictSame(
    full.told,
    ['pause', 'begin', 'xxx16384', 'asked'],
    'the client is full: the rest stays as it came',
  )
  full.drain()
  while (waiting.length > 0) waiting.shift()?.()
  t.strictSame(full.told.splice(4), ['begin', 'xxx3616', 'asked'])
  three.end(null, () => full.told.push('written'))
  while (waiting.length > 0) waiting.shift()?.()
  t.strictSame(full.told.splice(4), ['begin', 'end ', 'written'])

  const slower = slow(1)
  const four = slower.body()
  four.write(Buffer.alloc(40_000, 'x'), slower.source)
  four.end(null, () => slower.told.push('written'))
  t.strictSame(slower.told.splice(0), ['begin', 'xxx16384', 'pause', 'asked'])
  slower.drain()
  t.strictSame(slower.told.splice(0), ['begin', 'xxx16384', 'asked'])
  slower.drain()
  t.strictSame(slower.told, ['begin', 'xxx7232', 'asked', 'begin', 'end ', 'written'], 'its end comes last')
  t.end()
})

void t.test('the head does not wait for a body of which nothing may pass yet', async (t) => {
  const redactor = {
    push: () => Buffer.alloc(0),
    flush: () => Buffer.from('end'),
    idle: () => Buffer.alloc(0),
    waitsForLine: false,
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const { body, told, source } = slow(9, { redactor })
  const one = body()
  one.write(Buffer.from('abc'), source)
  t.strictSame(told, ['begin'])
  await turn()
  t.strictSame(told.splice(0), ['begin', 'flush'])
  one.write(Buffer.from('abc'), source)
  await turn()
  t.strictSame(told.splice(0), ['begin'], 'once')
  one.end(null, () => undefined)
  t.strictSame(told, ['begin', 'end3', 'end '])
  const whole = slow(9, { redactor })
  const two = whole.body()
  two.write(Buffer.from('abc'), whole.source)
  two.end(null, () => undefined)
  await turn()
  t.notOk(whole.told.includes('flush'), 'a body that is whole takes its head with it')
})

void t.test('a part is cut out of what was asked for around it', (t) => {
  const { body, told, source } = slow(99)
  const one = body(undefined, { skip: 2, take: 3 })
  for (const chunk of ['0', '12', '345678']) one.write(Buffer.from(chunk), source)
  one.end(null, () => undefined)
  t.strictSame(
    told.filter((one) => one !== 'begin'),
    ['21', '342', 'end '],
  )
  t.end()
})

void t.test('nothing more passes of a message that cannot be read', (t) => {
  const fails = (message: string, error: Error) => {
    const thrower = () => {
      throw error
    }
    const redactor = { push: thrower, flush: thrower, idle: thrower, waitsForLine: false }
    const { body, told, source } = slow(99, { redactor })
    const one = body()
    if (error instanceof UnreadableMessage) {
      one.write(Buffer.from('abc'), source)
      one.write(Buffer.from('abc'), source)
      one.end(null, () => told.push('written'))
      t.strictSame(told, ['begin', `failed ${message}`])
      const atEnd = slow(99, { redactor })
      atEnd.body().end(null, () => undefined)
      t.strictSame(atEnd.told, ['begin', `failed ${message}`])
    } else t.throws(() => one.write(Buffer.from('abc'), source), { message })
  }
  fails('odd', new UnreadableMessage('odd'))
  fails('a bug', new TypeError('a bug'))
  t.end()
})

void t.test('a body that is coded is decoded no faster than the client takes it', async (t) => {
  const text = 'a line of a body\n'.repeat(200_000)
  const coded = gzipSync(text)
  let length = 0
  let isAsked = false
  const downstream = {
    sendsNow: true,
    flush: () => undefined,
    onDrain: (listener: () => void) => {
      isAsked = true
      setTimeout(listener, 1)
    },
    write: (chunk: Buffer) => {
      length += chunk.length
      return false
    },
    end: (_trailers: null, onWritten: () => void) => {
      onWritten()
    },
  } as unknown as Downstream
  const failures: string[] = []
  const make = () =>
    new ResponseBody(
      { decode: (first) => createDecoder(['gzip'], first), redactor: new Redactor(PATTERNS, new Tally()) },
      null,
      downstream,
      () => undefined,
      (error) => failures.push(error.message),
    )
  const body = make()
  body.write(coded, SOURCE)
  await new Promise<void>((resolve) => {
    body.end(null, resolve)
  })
  t.strictSame([length, isAsked, failures], [text.length, true, []])
  const damaged = make()
  damaged.write(Buffer.from('\x1f\x8bno gzip at all', 'latin1'), SOURCE)
  damaged.end(null, () => failures.push('written'))
  await sleep(100)
  t.equal(failures.length, 1)
  t.not(failures[0], 'written')
})
