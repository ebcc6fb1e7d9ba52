import type { Headers, CredentialLocations } from '../contracts/credential.js'

/** Characters of the shortest placeholder that is looked for: a shorter text could stand in a request by chance. */
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
  /** Where that credential belongs. */
  readonly locations: CredentialLocations
}

export interface PlaceholderFinding {
  /** The first placeholder in a place where it has no business. */
  readonly misplaced: { readonly secret: string; readonly place: string } | null
  /** Whether one of the credential's own stands in one of its own locations. */
  readonly inLocation: boolean
}

interface Part {
  readonly place: string
  readonly text: string
  readonly location: boolean
}

/**
 * Looks for the sandbox's placeholders in a request. Threat: code that collects tokens sends what it finds to a host of its
 * choice. What it found is worthless, but that it was sent there is the clearest sign there is of what that code does.
 * Bodies are not read: a placeholder there is worth as little, and a log or a config file that is uploaded may hold one.
 */
export function findPlaceholders(question: PlaceholderInput): PlaceholderFinding {
  const { placeholders, own } = question
  const parts = [...placeholders.values()].some(isKnowable) ? partsOf(question) : []
  const all = parts.map(({ text }) => text).join('\n')
  let misplaced: PlaceholderFinding['misplaced'] = null
  let inSlot = false
  for (const [secret, placeholder] of placeholders) {
    if (!isKnowable(placeholder) || !all.includes(placeholder)) continue
    for (const { place, text, location } of parts) {
      if (!text.includes(placeholder)) continue
      if (location && own.includes(secret)) inSlot = true
      else misplaced ??= { secret, place }
    }
  }
  return { misplaced, inLocation: inSlot }
}

function isKnowable(placeholder: string): boolean {
  return placeholder.length >= MIN_LENGTH
}

/** The texts of a request that can hold one, each with its name for people. */
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

/** RFC 7617: the user name and password in a Basic header, behind a line break; nothing for any other value. */
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

/** Placeholders are ASCII: an escape that is none, or of a part of a longer character, stays what it is. */
function decodePercent(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%([0-7][0-9A-Fa-f])/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}
