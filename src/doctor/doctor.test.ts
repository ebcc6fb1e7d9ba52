import t from 'tap'
import { engineAdvisory } from './advisories.js'
import { readFacts, renderFindings } from './report.js'

void t.test('engines with a known hole', (t) => {
  for (const version of ['20.10.24', '20.10.24+dfsg1', '23.0.10', '24.0.9', '25.0.4'])
    t.equal(engineAdvisory(version), 'CVE-2024-29018', version)
  for (const version of ['23.0.11', '25.0.5', '26.0.0', '26.1.2'])
    t.match(engineAdvisory(version), 'names', version)
  for (const version of ['26.1.3', '26.1.5+dfsg1', '27.0.0', '28.2.2'])
    t.equal(engineAdvisory(version), null, version)
  t.end()
})

void t.test('facts come as words', (t) => {
  const facts = readFacts([
    '--host',
    '10.0.0.1',
    '--engine',
    '26.1.5',
    '--host',
    '10.0.0.1',
    '--json',
    '--other',
  ])
  t.strictSame(facts, { engine: '26.1.5', hosts: ['10.0.0.1'], others: [], lateFiles: null, json: true })
  t.strictSame(readFacts([]), { engine: null, hosts: [], others: [], lateFiles: null, json: false })
  t.end()
})

void t.test('a line that fails says what is exposed, and the fix', (t) => {
  const finding = { title: 'no route', found: '2 tried: connected', exposes: 'the outside', fix: 'close it' }
  const text = renderFindings([
    { ...finding, held: false },
    { ...finding, title: 'not root', held: true },
  ])
  t.match(
    text,
    /^FAILED {2}no route {2}2 tried: connected\n {8}exposed: the outside\n {8}fix: close it\nok {6}not root/,
  )
  t.match(text, /1 of 2 checks passed\n$/)
  t.end()
})
