import t from 'tap'
import { readHead } from './response-head.js'

const read = (text: string, scanned = 0) => readHead(Buffer.from(text, 'latin1'), scanned)

void t.test('what other protocols say first is named, and only at the beginning', (t) => {
  for (const [text, problem] of [
    ['SSH-2.0-OpenSSH', 'the upstream speaks SSH'],
    ['\x15\x03\x01\0\x02', 'the upstream speaks TLS on this port'],
    ['HTTP/2.0 200 OK', 'the upstream speaks another version of HTTP'],
    ['HTTP/0.9 200 OK', 'the upstream speaks another version of HTTP'],
    ['HTTP/9 200 OK', 'the upstream speaks another version of HTTP'],
    ['\0\0\x12\x04\0', 'the upstream speaks HTTP/2'],
    ['\0\0\n\x04\0', 'the upstream speaks HTTP/2'],
    ['220 mail.example ESMTP', 'the upstream speaks SMTP or FTP'],
    ['220-mail.example', 'the upstream speaks SMTP or FTP'],
    ['ICY 200 OK', 'the upstream speaks Shoutcast'],
    ...['xSSH-2.0', ' \x15\x03', 'x\0\0\n\x04', '2200', 'x220 ', 'ICYx', 'xICY ', 'SSHx', 'xHTTP/2'].map(
      (other) => [other, 'the response does not begin with HTTP/1.x'] as const,
    ),
  ] as const)
    t.match(read(text), { problem, at: 0 }, JSON.stringify(text))
  t.match(read('\r\nSSH-2.0'), { problem: 'the upstream speaks SSH', at: 2 })
  t.end()
})

void t.test('a head is whole behind its empty line, whichever line ends it has', (t) => {
  for (const end of ['\r\n\r\n', '\n\n', '\n\r\n', '\r\n\n']) {
    const text = `HTTP/1.1 200 OK\r\nX: y${end}`
    for (let length = 1; length < text.length; length += 1)
      t.equal(read(text.slice(0, length), length - 1), null, JSON.stringify(text.slice(0, length)))
    for (const scanned of [0, text.length - 1])
      t.match(read(`${text}body`, scanned), { status: 200, length: text.length }, JSON.stringify(end))
  }
  t.equal(read(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(262_100)}`), null)
  t.match(read(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(262_144)}`), { problem: /256 KiB/ })
  t.match(read(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(262_144)}\r\n\r\n`), { problem: /256 KiB/ })
  t.end()
})

void t.test('two line breaks may come before a head', (t) => {
  const head = 'HTTP/1.1 200 OK\r\n\r\n'
  for (const before of ['', '\r\n', '\n', '\r\n\n', '\n\r\n'])
    t.match(read(before + head), { status: 200 }, JSON.stringify(before))
  t.match(read(`\r\n\r\n\r\n${head}`), { problem: /does not begin/ })
  t.end()
})
