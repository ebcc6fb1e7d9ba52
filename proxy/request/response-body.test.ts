import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Downstream } from '../downstream/downstream.js'
import { encodedForms } from '../redaction/encoded-forms.js'
import type { InTurn } from '../contracts/in-turn.js'
import { Redactor } from '../redaction/redact.js'
import { Tally } from '../redaction/tally.js'
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
