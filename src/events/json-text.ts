/** Printable ASCII except quote and backslash: characters that JSON does not escape (RFC 8259 section 7). */
const PLAIN = /^[ !#-[\]-~]*$/

/** A string or null as JSON, identical to the output of `JSON.stringify`. */
export function jsonText(text: string | null): string {
  if (text === null) return 'null'
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}
