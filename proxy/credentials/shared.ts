import type { Secret } from '#firewall/secret.js'

/** A field that the loader has checked to be there; its absence is a bug of ours, not of the policy. */
export function field(values: Readonly<Record<string, Secret>>, name: string): Secret {
  const value = values[name]
  if (value === undefined) throw new Error(`credential field ${name} was not bound`)
  return value
}

/**
 * The byte sequences of texts that redaction must find: as UTF-8, as in a body, and as the latin1 that a header carries
 * (RFC 9110 section 5.5), where the two differ.
 */
export function needlesOf(...texts: readonly string[]): readonly Buffer[] {
  return texts
    .filter((text) => text !== '')
    .flatMap((text) => {
      const differ = /[\x80-\xff]/.test(text) && !/[^\x00-\xff]/.test(text)
      return differ ? [Buffer.from(text, 'utf8'), Buffer.from(text, 'latin1')] : [Buffer.from(text, 'utf8')]
    })
}
