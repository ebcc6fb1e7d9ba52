import type { Diagnostic } from '../contracts/diagnostic.js'
import type { PathPattern, SegmentPattern } from '../contracts/rule.js'
import { loosePatterns, matchParts } from './loose-path.js'

export const ANY_PATH: PathPattern = {
  text: '/**',
  segments: [],
  recursive: true,
  loose: loosePatterns('/**', true),
}

/** Reads a path pattern such as `/rest/api/2/**`. */
export function parsePathPattern(text: string): PathPattern | Diagnostic {
  if (!text.startsWith('/')) {
    return { problem: `Path \`${text}\` does not begin with a slash`, fix: `Write \`/${text}\`` }
  }
  if (/[?#\\\s]|%(?!2F)|[^\x21-\x7e]/.test(text) || text.includes('//')) {
    return {
      problem: `Invalid path \`${text}\`: it can never match a canonical path`,
      fix: 'Write the decoded path without `//`, spaces or escapes (except `%2F`, for a slash in a segment)',
    }
  }
  const parts = text.slice(1).split('/')
  const recursive = parts[parts.length - 1] === '**'
  if (recursive) parts.pop()
  for (const part of parts) {
    if (part.includes('**')) {
      return {
        problem: `\`**\` is not the last segment of path \`${text}\``,
        fix: 'Use `**` only as the last segment, and `*` for one segment or a part of one',
      }
    }
    if (part === '.' || part === '..') {
      return { problem: `Path \`${text}\` contains a dot segment`, fix: 'Remove `.` and `..`' }
    }
  }
  return { text, recursive, segments: parts.map(parseSegment), loose: loosePatterns(text, recursive) }
}

function parseSegment(text: string): SegmentPattern {
  return text.includes('*') ? { parts: text.split('*'), text } : { literal: text }
}

/** True if the segment is not empty and matches. */
function matchSegment(pattern: SegmentPattern, segment: string): boolean {
  return 'literal' in pattern ? pattern.literal === segment : matchParts(pattern.parts, segment)
}

/** True if the canonical path matches. `/a/**` matches `/a`, `/a/` and all below. */
export function matchPath({ segments, recursive }: PathPattern, path: string): boolean {
  let at = 1
  for (const segment of segments) {
    if (at > path.length) return false
    const slash = path.indexOf('/', at)
    const end = slash < 0 ? path.length : slash
    if (!matchSegment(segment, path.slice(at, end))) return false
    at = end + 1
  }
  return recursive || at > path.length
}

/** False if no path matches both; may be true if that cannot be told. */
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

/** True if `outer` matches every path that `inner` matches; may be false if that cannot be told. */
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
