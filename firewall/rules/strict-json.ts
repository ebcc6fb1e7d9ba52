/** Levels of arrays and objects in each other. Variables of GraphQL are a few levels deep. */
const MAX_DEPTH = 64

/** Strings, brackets, colons and commas, each of which takes a moment. What is large is one long string, such as a file. */
const MAX_MARKS = 20_000

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Why a text is refused, in a few words. */
export interface JsonProblem {
  readonly problem: string
}

/**
 * JSON that every parser reads as the same: RFC 8259 without duplicate keys, of which some parsers take the first and others the
 * last, without keys that a parser could cut or change (control characters, half a surrogate pair), and not nested deeper than
 * parsers with a limit or a stack of their own go on. Takes time linear in the text, and not much of it. Never throws.
 */
export function parseStrictJson(text: string): { readonly value: Json } | JsonProblem {
  const costs = costProblem(text)
  if (costs !== null) return { problem: costs }
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    return { problem: 'malformed JSON' }
  }
  const problem = keyProblem(text)
  return problem === null ? { value } : { problem }
}

/** What a scanner of JSON stops at: a string as a whole, or a bracket or colon outside of strings. */
const MARK = /["{}[\]:,]/g

/** Where the string that begins at `start` ends, its quote included; the end of the text for one that does not end. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return text.length
    let slashes = 0
    while (text[quote - 1 - slashes] === '\\') slashes += 1
    if (slashes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

/** Asked before the text is parsed: of what is no JSON it counts too much rather than too little. */
function costProblem(text: string): string | null {
  let [depth, deepest, marks] = [0, 0, 0]
  scan(text, (mark) => {
    marks += 1
    if (mark === '{' || mark === '[') deepest = Math.max(deepest, (depth += 1))
    else if (mark === '}' || mark === ']') depth -= 1
    return marks <= MAX_MARKS && deepest <= MAX_DEPTH
  })
  if (deepest > MAX_DEPTH) return `JSON nested deeper than ${String(MAX_DEPTH)} levels`
  return marks > MAX_MARKS ? `JSON of more than ${String(MAX_MARKS)} parts` : null
}

/** @param onMark gets each bracket, colon and comma, and each string with its quotes; false to end the scan */
function scan(text: string, onMark: (mark: string) => boolean): void {
  const marks = new RegExp(MARK)
  for (let found = marks.exec(text); found !== null; found = marks.exec(text)) {
    const [mark] = found
    const end = mark === '"' ? endOfString(text, found.index) : marks.lastIndex
    marks.lastIndex = end
    if (!onMark(text.slice(found.index, end))) return
  }
}

/** The first key that parsers could read differently, of a text that is JSON. */
function keyProblem(text: string): string | null {
  /** The keys of each open object; null for an array. */
  const open: (Set<string> | null)[] = []
  let problem: string | null = null
  let last = ''
  scan(text, (mark) => {
    if (mark === '{') open.push(new Set())
    else if (mark === '[') open.push(null)
    else if (mark === '}' || mark === ']') open.pop()
    else if (mark === ':') {
      const key = JSON.parse(last) as string
      const keys = open.at(-1)
      if (keys?.has(key) === true) problem ??= 'duplicate JSON key'
      else if (isUnclear(key)) problem ??= 'JSON key with a control character or half a surrogate pair'
      keys?.add(key)
    }
    last = mark
    return problem === null
  })
  return problem
}

/** Whether programs could cut a text short or replace a part of it. */
export function isUnclear(text: string): boolean {
  return /[\u0000-\u001f\u007f]|\p{Surrogate}/u.test(text)
}
