import { decodeForm } from './method-overrides.js'

/**
 * The names of a query's parameters. An allow rule asks for a name as it is written; a deny rule for every spelling that some
 * server takes for it: other letter case, and separated by `;` too.
 */
export class QueryNames {
  readonly #query: string
  #exact: ReadonlySet<string> | null = null
  #folded: ReadonlySet<string> | null = null

  /** @param query with its `?`, or empty */
  constructor(query: string) {
    this.#query = query
  }

  has(name: string): boolean {
    this.#exact ??= new Set(namesIn(this.#query, '&'))
    return this.#exact.has(name)
  }

  hasLoosely(name: string): boolean {
    this.#folded ??= new Set([...namesIn(this.#query, '&'), ...namesIn(this.#query, /[&;]/)].map(fold))
    return this.#folded.has(fold(name))
  }
}

function namesIn(query: string, separator: string | RegExp): string[] {
  return query
    .slice(1)
    .split(separator)
    .map((pair) => decodeForm(pair.split('=', 1)[0] ?? ''))
}

/** PHP and others cut a name at a bracket or a zero byte; some trim it. */
function fold(name: string): string {
  return name
    .replace(/[\0[].*$/s, '')
    .trim()
    .toLowerCase()
}
