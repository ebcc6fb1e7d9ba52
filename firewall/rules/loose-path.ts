import type { LoosePattern } from '../contracts/rule.js'

/**
 * A path as a lenient server might read it, as segments: percent-decoded, folded, without empty segments. Only deny rules are
 * compared with these, so a form that no server uses costs nothing but a denial.
 */
export type LooseSegments = readonly string[]

/** A slash within a segment: `%2F`, a backslash, or a character that folds to one of them. */
const INNER_SLASH = '\u0001'

/** Extensions by which frameworks choose a format. `/users` and `/users.json` are one route to Rails, Spring and others. */
const FORMAT =
  /\.(?:json|xml|html?|xhtml|txt|js|css|csv|ics|vcf|rss|atom|ya?ml|pdf|zip|gz|md|php|aspx?|jsp|do|action|git)$/

/**
 * Case, width, accents and invisible characters, none of which every server tells apart: U+212A is a `k` in lower case, U+017F
 * an `s` in upper case, `ａ` an `a` to a Windows code page, `á` an `a` to many collations.
 */
function fold(text: string): string {
  if (/^[\x20-\x7e\u0001]*$/.test(text)) return text.toLowerCase()
  return text
    .normalize('NFKD')
    .replace(/[\p{M}\p{Default_Ignorable_Code_Point}]/gu, '')
    .toUpperCase()
    .toLowerCase()
    .replace(/[/\\]/g, INNER_SLASH)
}

/** UTF-8, or Latin-1 where it is not UTF-8. */
function decodeEscapes(segment: string): string {
  if (!segment.includes('%')) return segment
  const kept = segment.replace(/%2F/gi, INNER_SLASH)
  try {
    return decodeURIComponent(kept)
  } catch {
    return kept.replace(/%([0-9A-F]{2})/gi, (_escape, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  }
}

/** Windows drops trailing dots and spaces, and `::$DATA` names the file itself; others trim spaces at both ends. */
function trim(segment: string): string {
  // Most segments.
  if (/^[\w-]*$/.test(segment)) return segment
  const text = segment.replace(/::?\$.*$/s, '').trimStart()
  let end = text.length
  while (end > 0 && /[\s.]/.test(text[end - 1] ?? '')) end -= 1
  return text.slice(0, end)
}

/** All loose forms of a canonical path. At most eight, each no longer than a small multiple of the path. */
export class LoosePath {
  readonly #path: string
  #forms: readonly LooseSegments[] | null = null

  constructor(path: string) {
    this.#path = path
  }

  /** Made when a deny rule first asks for them. */
  get forms(): readonly LooseSegments[] {
    this.#forms ??= this.#make()
    return this.#forms
  }

  /** True if some server could read a segment as `.` or `..`: `..%20`, `%EF%BC%8E%EF%BC%8E`, `..%3Bx`. */
  hasDotSegment(): boolean {
    return this.#path.includes('%') && this.#untrimmed().some((form) => form.some(isDotSegment))
  }

  #make(): readonly LooseSegments[] {
    return this.#untrimmed().map((form) => form.map(trim).filter((segment) => segment !== ''))
  }

  #untrimmed(): readonly LooseSegments[] {
    const raw = this.#path.slice(1).split('/')
    if (!/[%;?#]/.test(this.#path)) return [raw.map(fold)]
    const decoded = raw.map((segment) => fold(decodeEscapes(segment)))
    return [decoded, cutQuery(decoded)].flatMap((whole) =>
      [whole, whole.flatMap((segment) => segment.split(INNER_SLASH))].flatMap((form) => [
        form,
        form.map(cutParameters),
      ]),
    )
  }
}

/** Path parameters: Java servers read `/admin;x=1/b` as `/admin/b`. */
function cutParameters(segment: string): string {
  const at = segment.indexOf(';')
  return at < 0 ? segment : segment.slice(0, at)
}

/** CVE-2024-38475 and its kin: a rewrite decodes `%3F` or `%23`, and the rest is a query or a fragment to what follows. */
function cutQuery(segments: LooseSegments): LooseSegments {
  const at = segments.findIndex((segment) => /[?#]/.test(segment))
  return at < 0 ? segments : [...segments.slice(0, at), (segments[at] ?? '').replace(/[?#].*$/s, '')]
}

function isDotSegment(segment: string): boolean {
  const text = segment.trim()
  return text === '.' || text === '..' || (/^[\s.]+$/.test(text) && /\s/.test(text))
}

/** The loose forms of a pattern: with `%2F` within a segment, and as a slash. Stars stay stars. */
export function loosePatterns(text: string, recursive: boolean): readonly LoosePattern[] {
  const own = recursive ? text.slice(0, -'/**'.length) : text
  const kept = own.slice(1).split('/').map(decodeEscapes)
  const split = kept.flatMap((segment) => segment.split(INNER_SLASH))
  const forms = kept.some((segment) => segment.includes(INNER_SLASH)) ? [kept, split] : [kept]
  return forms.map((form) => {
    const segments = form.map((segment) => trim(fold(segment))).filter((segment) => segment !== '')
    return { recursive, segments: segments.map((one, i) => looseSegment(one, i === segments.length - 1)) }
  })
}

/** `/users.json` denies `/users` too: a client chooses the format with `Accept` as well. */
function looseSegment(text: string, last: boolean): LoosePattern['segments'][number] {
  const name = last && !text.startsWith('.') ? text.replace(FORMAT, '') : text
  const ends = name === '' || name.endsWith('*') ? text : name
  return ends.includes('*') ? { parts: ends.split('*') } : ends
}

/** True if the pattern matches one of the path's loose forms. */
export function matchLoosely(patterns: readonly LoosePattern[], path: LoosePath): boolean {
  return patterns.some((pattern) => path.forms.some((form) => matchForm(pattern, form)))
}

function matchForm({ segments, recursive }: LoosePattern, form: LooseSegments): boolean {
  if (recursive ? form.length < segments.length : form.length !== segments.length) return false
  return segments.every((segment, i) => matchLooseSegment(segment, form[i] ?? ''))
}

/** A segment may have any extension: `/admin` denies `/admin.json`. */
function matchLooseSegment(pattern: LoosePattern['segments'][number], segment: string): boolean {
  if (typeof pattern === 'string') return segment === pattern || segment.startsWith(`${pattern}.`)
  const cuts = new Set([segment.length, segment.indexOf('.'), segment.lastIndexOf('.')])
  return [...cuts].some((end) => end > 0 && matchParts(pattern.parts, segment.slice(0, end)))
}

/**
 * True if the texts stand in the segment in this order, the first at its beginning and the last at its end. Threat: the sandbox
 * chooses the segment, and a regular expression for `*-*-*.json` would backtrack in time polynomial in its length, so the parts
 * are searched one after the other.
 */
export function matchParts(parts: readonly string[], segment: string): boolean {
  const first = parts[0] ?? ''
  const last = parts.length > 1 ? (parts[parts.length - 1] ?? '') : ''
  if (segment === '' || !segment.startsWith(first) || !segment.endsWith(last)) return false
  const end = segment.length - last.length
  let at = first.length
  for (let i = 1; i < parts.length - 1; i += 1) {
    const part = parts[i] ?? ''
    const found = segment.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= end
}
