import type { Diagnostic } from '../names/host-pattern.js'

/** A path pattern: `*` stands for one segment or a part of one, a last `**` for any number of segments, none included. */
export interface PathPattern {
  readonly text: string
  readonly segments: readonly SegmentPattern[]
  /** True when the pattern ends in `**`. */
  readonly recursive: boolean
}

/** `parts` is what stands before, between and behind the stars of `text`. */
type SegmentPattern =
  { readonly literal: string } | { readonly parts: readonly string[]; readonly text: string }

export const ANY_PATH: PathPattern = { text: '/**', segments: [], recursive: true }

/** Reads a path pattern such as `/rest/api/2/**`. */
export function parsePathPattern(text: string): PathPattern | Diagnostic {
  if (!text.startsWith('/')) {
    return { problem: `the path \`${text}\` does not begin with a slash`, fix: `write \`/${text}\`` }
  }
  if (/[?#\\\s]|%(?!2F)|[^\x21-\x7e]/.test(text) || text.includes('//')) {
    return {
      problem: `the path \`${text}\` has a part that no canonical path has`,
      fix: 'write the decoded path without query, `//`, spaces or escapes (only `%2F` may stand for a slash in a segment)',
    }
  }
  const parts = text.slice(1).split('/')
  const open = parts[parts.length - 1] === '**'
  if (open) parts.pop()
  for (const part of parts) {
    if (part.includes('**')) {
      return {
        problem: `\`**\` stands inside the path \`${text}\``,
        fix: 'use `**` as the last segment only, and `*` for one segment or a part of one',
      }
    }
    if (part === '.' || part === '..') {
      return { problem: `the path \`${text}\` has a dot segment`, fix: 'write the path without `.` and `..`' }
    }
  }
  return { text, recursive: open, segments: parts.map(parseSegment) }
}

function parseSegment(text: string): SegmentPattern {
  return text.includes('*') ? { parts: text.split('*'), text } : { literal: text }
}

/**
 * True when the segment is not empty and matches. Not a regular expression: the sandbox chooses the segment, and
 * `*-*-*.json` would be tried in as many ways as its length to the power of its stars.
 */
function matchSegment(pattern: SegmentPattern, segment: string): boolean {
  if ('literal' in pattern) return pattern.literal === segment
  const [first = '', ...others] = pattern.parts
  const last = others.pop() ?? ''
  if (segment === '' || !segment.startsWith(first) || !segment.endsWith(last)) return false
  const end = segment.length - last.length
  let at = first.length
  for (const part of others) {
    const found = segment.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= end
}

/** True when the canonical path matches. `/a/**` matches `/a`, `/a/` and all below. */
export function matchPath({ segments, recursive: open }: PathPattern, path: string): boolean {
  let at = 1
  for (const segment of segments) {
    if (at > path.length) return false
    const slash = path.indexOf('/', at)
    const end = slash < 0 ? path.length : slash
    if (!matchSegment(segment, path.slice(at, end))) return false
    at = end + 1
  }
  return open || at > path.length
}

/** False when no path matches both; may say true where it cannot tell. */
export function overlapsPath(a: PathPattern, b: PathPattern): boolean {
  const [short, long] = a.segments.length <= b.segments.length ? [a, b] : [b, a]
  if (short.segments.length < long.segments.length && !short.recursive) return false
  return short.segments.every((segment, index) => {
    const other = long.segments[index]
    if (other === undefined) return true
    if ('literal' in segment) return matchSegment(other, segment.literal)
    return !('literal' in other) || matchSegment(segment, other.literal)
  })
}

/** True when every path that `inner` matches is matched by `outer`; may say false where it cannot tell. */
export function coversPath(outer: PathPattern, inner: PathPattern): boolean {
  const deepEnough = outer.recursive
    ? inner.segments.length >= outer.segments.length
    : !inner.recursive && inner.segments.length === outer.segments.length
  return (
    deepEnough &&
    outer.segments.every((segment, index) => {
      const other = inner.segments[index]
      if (other === undefined) return false
      if ('literal' in other) return matchSegment(segment, other.literal)
      return !('literal' in segment) && (segment.text === '*' || segment.text === other.text)
    })
  )
}
