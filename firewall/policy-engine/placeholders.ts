import type { Headers, CredentialLocations } from '../contracts/credential.js'

/** Characters of the shortest placeholder to search for: a shorter text could occur in a request by chance. */
const MIN_LENGTH = 16

export interface PlaceholderInput {
  /** As the sandbox sent them, by lower-case name. */
  readonly headers: Headers
  /** Canonical. */
  readonly path: string
  /** With its `?`, or empty. */
  readonly query: string
  /** All of this sandbox's placeholders, by the names of their secrets. */
  readonly placeholders: ReadonlyMap<string, string>
  /** Names of the secrets that belong to the credential of this request's service. */
  readonly own: readonly string[]
  /** The locations of that credential. */
  readonly locations: CredentialLocations
}

export interface PlaceholderFinding {
  /** The first placeholder outside its credential's locations; null if there is none. */
  readonly misplaced: { readonly secret: string; readonly place: string } | null
  /** True if one of the credential's own placeholders is in one of its own locations. */
  readonly inLocation: boolean
}

interface Part {
  readonly place: string
  readonly text: string
  readonly location: boolean
}

/**
 * Searches a request for the sandbox's placeholders. Threat: code that collects tokens sends them to an attacker's host. The
 * placeholders are worthless, but sending them is the clearest sign of an attack. Bodies are not searched, because uploaded logs
 * or configuration files may contain placeholders for good reasons.
 */
export function findPlaceholders(input: PlaceholderInput): PlaceholderFinding {
  const { placeholders, own } = input
  const parts = [...placeholders.values()].some(isSearchable) ? partsOf(input) : []
  const all = parts.map(({ text }) => text).join('\n')
  let misplaced: PlaceholderFinding['misplaced'] = null
  let inLocation = false
  for (const [secret, placeholder] of placeholders) {
    if (!isSearchable(placeholder) || !all.includes(placeholder)) continue
    for (const { place, text, location } of parts) {
      if (!text.includes(placeholder)) continue
      if (location && own.includes(secret)) inLocation = true
      else misplaced ??= { secret, place }
    }
  }
  return { misplaced, inLocation }
}

function isSearchable(placeholder: string): boolean {
  return placeholder.length >= MIN_LENGTH
}

/** The texts of a request that may contain a placeholder, each with its name for people. */
function partsOf({ headers, path, query, locations }: PlaceholderInput): Part[] {
  const parts: Part[] = [{ place: 'the path', text: path, location: locations.path === true }]
  for (const [name, value] of Object.entries(headers)) {
    const location = locations.headers?.includes(name) === true
    for (const line of [value].flat()) {
      if (name === 'cookie' && locations.cookies !== undefined)
        parts.push(...cookies(line, locations.cookies))
      else parts.push({ place: `header ${name}`, text: line + basicPair(line), location })
    }
  }
  if (query !== '') parts.push(...parameters(query, locations.query ?? []))
  return parts
}

/** RFC 7617: a line break and the user name and password of a Basic header; empty for any other value. */
function basicPair(value: string): string {
  const encoded = /^Basic +([A-Za-z0-9+/_-]+=*)\s*$/i.exec(value)?.[1]
  return encoded === undefined ? '' : `\n${Buffer.from(encoded, 'base64').toString('latin1')}`
}

function cookies(line: string, own: readonly string[]): Part[] {
  return line.split(';').map((text) => {
    const name = (text.split('=')[0] ?? '').trim()
    return { place: `cookie ${name}`, text, location: own.includes(name) }
  })
}

function parameters(query: string, own: readonly string[]): Part[] {
  return query
    .slice(1)
    .split('&')
    .map((pair) => {
      const text = decodePercent(pair)
      const name = decodePercent(pair.split('=')[0] ?? '').replaceAll('+', ' ')
      return { place: `parameter ${name.slice(0, 64)}`, text, location: own.includes(name) }
    })
}

/** Placeholders are ASCII, so malformed and non-ASCII escapes stay as they are. */
function decodePercent(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%([0-7][0-9A-Fa-f])/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}
