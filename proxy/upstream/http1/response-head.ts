import type { RawHeaders } from '../upstream.js'
import { newHeaders } from '../../message/headers.js'

/** Bytes of a response's head. Security policies and links fill tens of KiB; nobody sends more than this. */
export const MAX_HEAD = 262_144

/** Lines of it. Each becomes a field that is searched and written again. */
const MAX_LINES = 512

/** Empty lines before a status line: some old servers end a body with one that belongs to nothing. */
const MAX_LEADING_BREAKS = 2

/** How a body ends (RFC 9112 section 6.3). */
export type Framing =
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' }

export interface ResponseHead {
  readonly status: number
  /** By lower-case name, each byte as one character. */
  readonly headers: RawHeaders
  /** For a response that may have a body. */
  readonly framing: Framing
  /** Whether the connection may serve another request. */
  readonly persists: boolean
  /** Milliseconds for which the server says that it keeps an idle connection; null where it does not. */
  readonly keepAliveMs: number | null
  /** Bytes of the head, its empty line included. */
  readonly length: number
}

/** What is wrong with bytes that should be HTTP, and where they begin. */
export interface Malformed {
  readonly problem: string
  readonly at: number
}

/**
 * Reads the head of a response. docs/http.md has the table of what it takes and what it refuses: what is merely old has one
 * meaning; what two readers could read in two ways is refused.
 *
 * @param scanned bytes that an earlier call has seen
 * @returns null while the head is not whole
 */
export function readHead(bytes: Buffer, scanned: number): ResponseHead | Malformed | null {
  const start = skipBreaks(bytes)
  if (!beginsHttp(bytes, start)) return { problem: nameOf(bytes, start), at: start }
  const end = endOfHead(bytes, Math.max(start, scanned - 3))
  if (end < 0 || end > MAX_HEAD)
    return bytes.length < MAX_HEAD ? null : { problem: 'the head is longer than 256 KiB', at: 0 }
  return parseHead(bytes.toString('latin1', 0, end), start)
}

function skipBreaks(bytes: Buffer): number {
  let at = 0
  for (let count = 0; count < MAX_LEADING_BREAKS; count += 1) {
    if (bytes[at] === LF) at += 1
    else if (bytes[at] === CR && (at + 1 === bytes.length || bytes[at + 1] === LF)) at += 2
    else break
  }
  return Math.min(at, bytes.length)
}

const [CR, LF, SPACE, TAB] = [0x0d, 0x0a, 0x20, 0x09]

const BEGIN = Buffer.from('HTTP/1.')

/** Looked at as soon as a byte is there: what is no HTTP may never come to an empty line. */
function beginsHttp(bytes: Buffer, start: number): boolean {
  const length = Math.min(bytes.length - start, BEGIN.length)
  return bytes.compare(BEGIN, 0, length, start, start + length) === 0
}

/** What servers of other protocols say first. Fixed texts alone: whatever else came may hold a secret. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^SSH-/, 'the upstream speaks SSH'],
  [/^\x15\x03/, 'the upstream speaks TLS on this port'],
  [/^HTTP\/[02-9]/, 'the upstream speaks another version of HTTP'],
  [/^\0\0[\s\S]\x04/, 'the upstream speaks HTTP/2'],
  [/^220[ -]/, 'the upstream speaks SMTP or FTP'],
  [/^ICY /, 'the upstream speaks Shoutcast'],
]

function nameOf(bytes: Buffer, start: number): string {
  const text = bytes.toString('latin1', start, start + 16)
  return OTHERS.find(([pattern]) => pattern.test(text))?.[1] ?? 'the response does not begin with HTTP/1.x'
}

/** Where the first empty line ends; at or behind it. Negative where none is there. */
function endOfHead(bytes: Buffer, from: number): number {
  const usual = bytes.indexOf('\r\n\r\n', from, 'latin1')
  if (usual >= 0) return usual + 4
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3
  }
  return -1
}

/** RFC 9112 section 4; the reason phrase, and the space before it, may be missing. */
const STATUS_LINE = /^HTTP\/1\.(\d) ([1-9]\d\d)(?: .*)?$/s

function parseHead(text: string, start: number): ResponseHead | Malformed {
  const lineEnd = text.indexOf('\n', start)
  const line = text.slice(start, text[lineEnd - 1] === '\r' ? lineEnd - 1 : lineEnd)
  const [whole, minor, status] = STATUS_LINE.exec(line) ?? []
  if (whole === undefined) return { problem: 'the status line is malformed', at: start }
  const fields = readFields(text, lineEnd + 1)
  if ('problem' in fields) return fields
  const { headers, end } = fields
  const forbidden = FORBIDDEN.exec(end === text.length ? text : text.slice(0, end))
  if (forbidden !== null && forbidden.index >= start)
    return { problem: 'the head holds a NUL or a CR without LF', at: forbidden.index }
  const framing = framingOf(headers, minor === '0')
  if (typeof framing === 'string') {
    const at = text.search(/^(content-length|transfer-encoding)[ \t]*:/im)
    return { problem: framing, at: Math.max(at, start) }
  }
  return {
    status: Number(status),
    headers,
    framing,
    persists: persists(headers, minor === '0'),
    keepAliveMs: keepAliveOf(headers['keep-alive']),
    length: end,
  }
}

/** RFC 9112 section 2.2, RFC 9110 section 5.5: no reader agrees with another about these. */
const FORBIDDEN = /\0|\r(?!\n)/

/** Control characters that are no more than wrong: each becomes a space (RFC 9110 section 5.5). */
const CONTROL = /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/
const CONTROLS = new RegExp(CONTROL, 'g')

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Fields whose name nobody may read in another way. */
const OF_FRAMING = /^(content-length|transfer-encoding)$/

/**
 * Reads field lines up to an empty one (RFC 9112 section 5). The lines may end in LF alone.
 *
 * @param text holds an empty line at or behind `start`
 */
export function readFields(text: string, start: number): { headers: RawHeaders; end: number } | Malformed {
  const headers = newHeaders()
  let [name, lines] = ['', 0]
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\n', at)
    if (lineEnd < 0) return { problem: 'the head does not end', at }
    const end = lineEnd > at && text.charCodeAt(lineEnd - 1) === CR ? lineEnd - 1 : lineEnd
    if (end === at) return { headers, end: lineEnd + 1 }
    lines += 1
    if (lines > MAX_LINES) return { problem: `more than ${String(MAX_LINES)} header lines`, at }
    const first = text.charCodeAt(at)
    if (first === SPACE || first === TAB) {
      // A folded line (RFC 9112 section 5.2) goes on after a space.
      if (name === '') return { problem: 'the first header line begins with a space', at }
      if (OF_FRAMING.test(name)) return { problem: `${name} goes on in another line`, at }
      append(headers, name, ` ${valueOf(text, at, end)}`, true)
    } else {
      const colon = text.indexOf(':', at)
      if (colon < 0 || colon >= end) return { problem: 'a header line has no colon', at }
      const written = text.slice(at, colon)
      name = written.trimEnd().toLowerCase()
      if (!TOKEN.test(name)) return { problem: 'the name of a header is malformed', at }
      // RFC 9112 section 5.1 has a proxy remove spaces before the colon; readers who do not would miss the field.
      if (written.length !== name.length && OF_FRAMING.test(name))
        return { problem: `a space stands between ${name} and its colon`, at }
      append(headers, name, valueOf(text, colon + 1, end), false)
    }
    at = lineEnd + 1
  }
}

function append(headers: Record<string, string | string[]>, name: string, value: string, fold: boolean) {
  const present = headers[name]
  if (present === undefined) headers[name] = value
  else if (Array.isArray(present)) {
    if (fold) present.push(`${present.pop() ?? ''}${value}`)
    else present.push(value)
  } else headers[name] = fold ? present + value : [present, value]
}

/** Without the whitespace around it. */
function valueOf(text: string, from: number, to: number): string {
  let [start, end] = [from, to]
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  const value = text.slice(start, end)
  return CONTROL.test(value) ? value.replace(CONTROLS, ' ') : value
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

const LENGTH = /^\d{1,15}$/

/** How the body ends, or why that can be read in two ways (RFC 9112 sections 6.1 and 6.3). Writes a repeated length once. */
function framingOf(headers: Record<string, string | string[] | undefined>, isOld: boolean): Framing | string {
  const coding = headers['transfer-encoding']
  const length = headers['content-length']
  if (coding !== undefined) {
    if (length !== undefined) return 'Content-Length and Transfer-Encoding are both there'
    if (isOld) return 'Transfer-Encoding in a response of HTTP/1.0'
    if (typeof coding !== 'string') return 'Transfer-Encoding is there more than once'
    const codings = coding.toLowerCase()
    if (codings === 'identity') delete headers['transfer-encoding']
    return /(^|,[ \t]*)chunked$/.test(codings) ? { kind: 'chunked' } : { kind: 'close' }
  }
  if (length === undefined) return { kind: 'close' }
  if (typeof length === 'string' && LENGTH.test(length)) return { kind: 'length', bytes: Number(length) }
  const [first = '', ...others] = String(length)
    .split(',')
    .map((one) => one.trim())
  if (!LENGTH.test(first)) return 'Content-Length is not a number'
  if (others.some((other) => other !== first)) return 'there are different values of Content-Length'
  headers['content-length'] = first
  return { kind: 'length', bytes: Number(first) }
}

/** RFC 9112 section 9.3. */
function persists({ connection }: RawHeaders, isOld: boolean): boolean {
  if (connection === undefined) return !isOld
  if (connection === 'keep-alive') return true
  const options = String(connection)
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
  return isOld ? options.includes('keep-alive') : !options.includes('close')
}

function keepAliveOf(value: string | string[] | undefined): number | null {
  if (value === undefined) return null
  const seconds = /\btimeout\s*=\s*"?(\d{1,6})/i.exec(String(value))?.[1]
  return seconds === undefined ? null : Number(seconds) * 1000
}
