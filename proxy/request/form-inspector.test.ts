import t from 'tap'
import { deny } from '../contracts/denial.js'
import { ForbiddenForm, FormInspector, formKindOf } from './form-inspector.js'

void t.test('which bodies are forms, and which cannot be read as one', (t) => {
  const form = 'application/x-www-form-urlencoded'
  for (const [method, headers, kind] of [
    ['POST', { 'content-type': form }, 'urlencoded'],
    ['PUT', { 'content-type': 'Application/X-WWW-Form-Urlencoded; charset=utf-8' }, 'urlencoded'],
    ['POST', {}, 'urlencoded'],
    ['POST', { 'content-type': ' ;, ' }, 'urlencoded'],
    ['PUT', {}, null],
    ['PUT', { 'content-type': '' }, null],
    ['POST', { 'content-type': 'application/json' }, null],
    ['POST', { 'content-type': ';application/json' }, null],
    ['POST', { 'content-type': 'multipart/form-data; boundary=x' }, 'multipart'],
    ['PATCH', { 'content-type': 'MULTIPART/mixed' }, 'multipart'],
    ['POST', { 'content-type': `multipart/form-data; x=${form}` }, 'unreadable'],
    ['POST', { 'content-type': ['multipart/form-data', form] }, 'unreadable'],
    ['POST', { 'content-type': form, 'content-encoding': 'gzip' }, 'unreadable'],
    ['POST', { 'content-type': form, 'content-encoding': 'Identity' }, 'urlencoded'],
    ['POST', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, null],
    ...['utf-16', 'UTF-16LE', '"utf-32"', "'utf-7'", 'utf16', 'ucs-2', 'IBM037', 'cp037', 'utf-7'].map(
      (charset) => ['POST', { 'content-type': `${form}; charset=${charset}` }, 'unreadable'] as const,
    ),
    ['POST', { 'content-type': `${form};charset = utf-16` }, 'unreadable'],
    ...['utf-8', 'latin1', 'windows-1252', '"UTF-8"'].map(
      (charset) => ['POST', { 'content-type': `${form}; charset=${charset}` }, 'urlencoded'] as const,
    ),
  ] as const)
    t.equal(
      formKindOf(method, headers as Record<string, string | string[]>),
      kind,
      `${method} ${JSON.stringify(headers)}`,
    )
  t.end()
})

function inspect(kind: 'urlencoded' | 'multipart', chunks: readonly string[], denied = 'DELETE') {
  const asked: string[] = []
  const inspector = new FormInspector(kind, (method) => {
    asked.push(method)
    return method === denied ? deny('no-rule') : null
  })
  let passed = ''
  return new Promise<{ asked: string[]; passed: string; error: Error | null }>((resolve) => {
    inspector.on('data', (chunk: Buffer) => (passed += chunk.toString('latin1')))
    inspector.on('end', () => resolve({ asked, passed, error: null }))
    inspector.on('error', (error) => resolve({ asked, passed, error }))
    for (const chunk of chunks) inspector.write(chunk, 'latin1')
    inspector.end()
  })
}

void t.test(
  'each method that a form names is judged once, and one that is not allowed ends the form',
  async (t) => {
    const fine = await inspect('urlencoded', ['a=\xe9&_method=PUT&', '_method=put&_method=PATCH&b=2'])
    t.strictSame(fine, {
      asked: ['PUT', 'PATCH'],
      passed: 'a=\xe9&_method=PUT&_method=put&_method=PATCH&b=2',
      error: null,
    })
    for (const chunks of [
      ['a=1&_method=DELETE'],
      ['a=1&_method=DELETE&b=2'],
      ['a=1&_method=PUT&_method=DEL', 'ETE&'],
    ]) {
      const { passed, error } = await inspect('urlencoded', chunks)
      t.ok(error instanceof ForbiddenForm && error.denial.reason === 'no-rule', chunks.join('|'))
      t.notMatch(passed, /DEL/)
    }
    const part = 'Content-Disposition: form-data; name="_method"\r\n\r\n'
    t.ok((await inspect('multipart', [`--b\r\n${part}DELETE\r\n--b--`])).error instanceof ForbiddenForm)
    t.equal((await inspect('multipart', [`--b\r\n${part}PUT\r\n--b--`])).error, null)
    const { error } = await inspect('urlencoded', [`${'+'.repeat(5_000)}_method=PUT`])
    t.ok(error instanceof ForbiddenForm && error.denial.reason === 'form-unreadable')
  },
)
