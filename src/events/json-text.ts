/** Printable ASCII but the quote and the backslash: what JSON writes as it is (RFC 8259 section 7). */
const PLAIN = /^[ !#-[\]-~]*$/

/** A string or null as JSON, byte for byte what `JSON.stringify` makes of it. */
export function jsonText(text: string | null): string {
  if (text === null) return 'null'
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}
