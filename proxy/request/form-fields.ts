import {
  isOverrideName,
  LONGEST_OVERRIDE_NAME,
  decodeForm,
  overridingMethod,
} from '#firewall/rules/method-overrides.js'

/** Characters of a field's name that are held back. PHP skips leading spaces, so a name can be padded. */
const MAX_NAME = 1_024
/** Characters of an override's value that are held back; a longer one is not a method. */
const MAX_VALUE = 128
/** Characters of a part's `Content-Disposition`, unfolded. */
const MAX_DISPOSITION = 2_048
/** Parameters called `name` in one `Content-Disposition`; there should be one. */
const MAX_NAMES = 8
/** Characters from the name of an override to the end of its value: the other headers of its part stand between. */
const MAX_PART = 4_096

/** What a reader of form fields found. */
export interface FormFinding {
  /** What may go on, in Latin-1; the rest is held back until it is known not to be an override. */
  readonly text: string
  /** Methods that fields name, in upper case. Their bytes are in `text`. */
  readonly methods: readonly string[]
  /** True for a form that cannot be read within the limits. */
  readonly unreadable: boolean
}

/** Finds form fields that name a method (`_method=DELETE`), while the form passes. Holds back a few kilobytes at most. */
export interface FormReader {
  push(text: string): FormFinding
  /** The form is over. */
  end(): FormFinding
}

/** `application/x-www-form-urlencoded`, with `&` or `;` between fields. */
export class UrlencodedReader implements FormReader {
  #held = ''
  #state: 'name' | 'value' | 'skip' = 'name'
  #name = ''

  push(chunk: string): FormFinding {
    const methods: string[] = []
    let [text, rest] = ['', chunk]
    while (rest !== '') {
      const at = rest.search(this.#state === 'name' ? /[&;=]/ : /[&;]/)
      const end = at < 0 ? rest.length : at
      const part = rest.slice(0, end)
      const mark = at < 0 ? '' : rest.charAt(at)
      rest = rest.slice(end + mark.length)
      if (this.#state === 'skip') text += part + mark
      else {
        this.#held += part + mark
        if (this.#state === 'name') this.#readName(mark)
        else if (mark !== '' || this.#held.length > this.#name.length + MAX_VALUE) this.#readValue(methods)
        if (this.#isDone()) {
          text += this.#held
          this.#held = ''
        } else if (this.#held.length > MAX_NAME + MAX_VALUE) return { text, methods, unreadable: true }
      }
      if (mark === '&' || mark === ';') this.#state = 'name'
    }
    return { text, methods, unreadable: false }
  }

  end(): FormFinding {
    const methods: string[] = []
    if (this.#state === 'value') this.#readValue(methods)
    return { text: this.#held, methods, unreadable: false }
  }

  /** The field that was held back may go on. */
  #isDone(): boolean {
    return this.#state === 'skip'
  }

  /** A name without a value asks for nothing. */
  #readName(mark: string): void {
    if (mark === '=') {
      const isOverride = isOverrideName(decodeForm(this.#held.slice(0, -1)))
      this.#name = this.#held
      this.#state = isOverride ? 'value' : 'skip'
    } else if (mark !== '' || !couldBeOverride(this.#held)) this.#state = 'skip'
  }

  #readValue(methods: string[]): void {
    const value = this.#held.slice(this.#name.length).replace(/[&;]$/, '')
    const method = overridingMethod(decodeForm(this.#name.slice(0, -1)), decodeForm(value))
    if (method !== null) methods.push(method)
    this.#state = 'skip'
  }
}

function couldBeOverride(name: string): boolean {
  const decoded = decodeForm(name)
  const shown = decoded.trimStart()
  if (/\0|.\[/.test(shown)) return isOverrideName(decoded)
  return shown.replace(/[^A-Za-z]/g, '').length <= LONGEST_OVERRIDE_NAME
}

const DISPOSITION = 'content-disposition'

/** Spaces before a header; more make it the continuation of the one above. */
const MAX_INDENT = 64

/**
 * `multipart/form-data` (RFC 7578), without its boundaries: any line that begins like a part's `Content-Disposition` counts, so
 * that no two ideas of where a part begins can hide one.
 */
export class MultipartReader implements FormReader {
  /** From the beginning of a line that may matter. */
  #held = ''
  #atLineStart = true

  push(chunk: string): FormFinding {
    const methods: string[] = []
    const all = this.#held + chunk
    this.#held = ''
    let at = 0
    while (at < all.length) {
      if (!this.#atLineStart) {
        const newline = nextNewline(all, at)
        at = newline < 0 ? all.length : newline + 1
        this.#atLineStart = newline >= 0
        continue
      }
      const step = mayBegin(all.charAt(at))
        ? readLine(all.slice(at, at + MAX_DISPOSITION + MAX_PART), methods)
        : 0
      if (step === 'unreadable') return { text: all.slice(0, at), methods, unreadable: true }
      if (step === 'more') break
      // Nothing of interest begins here: on to the next line.
      const isNewline = step === 0 && /[\r\n]/.test(all.charAt(at))
      at += Math.max(step, 1)
      this.#atLineStart = isNewline
    }
    this.#held = all.slice(at)
    return { text: all.slice(0, at), methods, unreadable: false }
  }

  end(): FormFinding {
    const methods: string[] = []
    const text = this.#held
    // As if a line and a part had ended here.
    const step = this.#atLineStart ? readLine(`${text}\r\n\r\n\r\n-`, methods) : 0
    return { text, methods, unreadable: step === 'unreadable' }
  }
}

/** The first line break from there on; -1 for none. A loop: two searches would each read to the end of the text, once a line. */
function nextNewline(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 10 || code === 13) return at
  }
  return -1
}

/** Whether a line that begins with this character may be a `Content-Disposition`. */
function mayBegin(char: string): boolean {
  return char === 'c' || char === 'C' || char === ' ' || char === '\t'
}

/**
 * Reads a line that may be a `Content-Disposition`, and where it names an override, its part up to the value.
 *
 * @returns characters that were read, 0 for a line of no interest, `more` if more of the form must be seen first
 */
function readLine(text: string, methods: string[]): number | 'more' | 'unreadable' {
  const indent = /^[\t ]*/.exec(text)?.[0].length ?? 0
  if (indent > MAX_INDENT) return 0
  const begin = text.slice(indent, indent + DISPOSITION.length).toLowerCase()
  if (!DISPOSITION.startsWith(begin)) return 0
  if (begin.length < DISPOSITION.length) return 'more'
  const end = endOfHeader(text)
  if ((end ?? text.length) > MAX_DISPOSITION) return 'unreadable'
  if (end === null) return 'more'
  const names = namesIn(text.slice(0, end))
  if (names === null) return 'unreadable'
  const name = names.find(isOverrideName)
  if (name === undefined) return end
  // The value stands behind the blank line that ends the part's headers.
  const match = /(?:\r\n\r\n|\n\r?\n|\r\r)([^\r\n]*)(?=[\r\n])/.exec(text)
  if (match === null) return text.length >= MAX_DISPOSITION + MAX_PART ? 'unreadable' : 'more'
  if (/^content-transfer-encoding/im.test(text.slice(0, match.index))) return 'unreadable'
  const method = overridingMethod(name, match[1] ?? '')
  if (method !== null) methods.push(method)
  return match.index + match[0].length
}

/** Where a header ends, its continuations included (RFC 5322 section 2.2.3); null if that cannot be seen yet. */
function endOfHeader(text: string): number | null {
  for (const match of text.matchAll(/\r\n|\r|\n/g)) {
    const next = text.charAt(match.index + match[0].length)
    if (next === '') return null
    if (next !== ' ' && next !== '\t') return match.index
  }
  return null
}

/** The names that a `Content-Disposition` could give its part: also `name*=utf-8''x` and `name*0=` (RFC 2231). Null for too many. */
function namesIn(line: string): readonly string[] | null {
  const names: string[] = []
  let joined = ''
  for (const match of line.matchAll(/(?<![a-z])name(?:\*\d*)?\*?\s*=\s*/gi)) {
    if (names.length >= 2 * MAX_NAMES) return null
    const value = line.slice(match.index + match[0].length, match.index + match[0].length + MAX_VALUE)
    const decoded = decodeForm(
      match[0].includes('*') ? value.replace(/^[^';]*'[^';]*'/, '') : value,
    ).replaceAll('\\', '')
    const quoted = decoded.startsWith('"') ? (decoded.slice(1).split('"')[0] ?? '') : decoded
    names.push(quoted, (decoded.split(';')[0] ?? '').replaceAll('"', ''))
    joined += (decoded.split(';')[0] ?? '').replaceAll('"', '').trim()
  }
  return [...names, joined]
}
