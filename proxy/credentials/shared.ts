import type { Secret } from '#firewall/secret.js'

/** A field that the loader has checked to be there; its absence is a bug of ours, not of the policy. */
export function field(values: Readonly<Record<string, Secret>>, name: string): Secret {
  const value = values[name]
  if (value === undefined) throw new Error(`credential field ${name} was not bound`)
  return value
}

/** The byte sequences of texts that redaction must find. */
export function needlesOf(...texts: readonly string[]): readonly Buffer[] {
  return texts.filter((text) => text !== '').map((text) => Buffer.from(text, 'utf8'))
}
