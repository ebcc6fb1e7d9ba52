const SIGNATURE = /,"signature":"([A-Za-z0-9+/=]*)"\}\}$/

/** What the signature of a checkpoint is over, and the signature; null where a line has none. */
export function signedText(line: string): { readonly text: string; readonly signature: string } | null {
  const found = SIGNATURE.exec(line)
  if (found === null) return null
  return { text: `${line.slice(0, found.index)}}}`, signature: found[1] ?? '' }
}
