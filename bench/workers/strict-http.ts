export interface StrictRequest {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyMap<string, string>
}

const LINE = /^([A-Z]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/

/** What every correct server reads in these bytes; a text for anything that two of them could read differently. */
export function readRequests(bytes: string): readonly StrictRequest[] | string {
  const requests: StrictRequest[] = []
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) return requests.length === 0 ? 'a head that is cut off' : requests
    const [first = '', ...lines] = bytes.slice(at, end).split('\r\n')
    const line = LINE.exec(first)
    if (line === null) return `the line ${JSON.stringify(first.slice(0, 80))}`
    const headers = new Map<string, string>()
    for (const text of lines) {
      const field = FIELD.exec(text)
      if (field === null) return `the field ${JSON.stringify(text.slice(0, 80))}`
      const name = (field[1] ?? '').toLowerCase()
      if (headers.has(name) && /^(host|content-length|transfer-encoding|authorization)$/.test(name))
        return `two fields ${name}`
      headers.set(name, field[2] ?? '')
    }
    requests.push({ method: line[1] ?? '', target: line[2] ?? '', headers })
    const [length, coding] = [headers.get('content-length'), headers.get('transfer-encoding')]
    if (headers.get('host') === undefined) return 'no Host'
    if (length !== undefined && coding !== undefined) return 'two framings'
    if (length !== undefined && !/^\d+$/.test(length)) return `the length ${length}`
    if (coding !== undefined && coding !== 'chunked') return `the coding ${coding}`
    // What follows an upgrade are frames, and tests of their own read those.
    if (headers.get('upgrade') !== undefined) return requests
    at = coding === undefined ? end + 4 + Number(length ?? 0) : endOfChunks(bytes, end + 4)
    if (at < 0) return 'a chunk that is none'
  }
  return requests
}

/** Where a chunked body ends, or the text if it is cut off; -1 if these are not chunks. */
function endOfChunks(bytes: string, start: number): number {
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return bytes.length
    const size = bytes.slice(at, lineEnd)
    if (!/^[0-9a-f]{1,8}$/i.test(size)) return -1
    if (parseInt(size, 16) === 0)
      return bytes.startsWith('\r\n', lineEnd + 2)
        ? lineEnd + 4
        : bytes.length <= lineEnd + 4
          ? bytes.length
          : -1
    at = lineEnd + 2 + parseInt(size, 16)
    if (at < bytes.length && !bytes.startsWith('\r\n', at)) return bytes.length <= at + 1 ? bytes.length : -1
    at += 2
  }
}
