/** A form that ends within characters that hold bits of what stands before or behind, too: so many are a part of it there. */
export interface Form extends Buffer {
  edges?: Edges
}

export interface Edges {
  readonly before: 0 | 1
  readonly behind: 0 | 1
}

/**
 * The forms in which a service says a secret back: as it is, in hexadecimal, in UTF-16, and in base64 wherever it begins
 * in the encoded text (RFC 4648 sections 4 and 5), so that base64 of `user:secret` is found by the secret alone. What is sent in a
 * query or in JSON may be said back as it was sent, in base64 or hexadecimal of that.
 *
 * Escapes are undone by the scanner, once, in whatever mixture; the usual escaped forms are here too, for text that was
 * escaped twice. A form shorter than `MIN_FORM` would blank ordinary text and is left out.
 */
export function encodedForms(secret: string): readonly Form[] {
  if (secret === '') return []
  const percent = encodeURIComponent(secret)
  const json = JSON.stringify(secret).slice(1, -1)
  const sent = [...new Set([secret, percent, json])]
  const base64 = sent.flatMap((text) => base64Forms(Buffer.from(text, 'utf8')))
  const hex = sent.map((text) => Buffer.from(text, 'utf8').toString('hex'))
  const forms = [
    secret,
    // Readings of the scanner skip line breaks, so their secret patterns have none.
    secret.replace(/[\r\n]+/g, ''),
    // application/x-www-form-urlencoded writes a space as `+`.
    secret.replaceAll(' ', '+'),
    // YAML and SQL, CSV.
    secret.replaceAll("'", "''"),
    secret.replaceAll('"', '""'),
    percent,
    percent.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    json,
    json.replaceAll('/', '\\/'),
    ...hex,
    ...hex.map((text) => text.toUpperCase()),
  ]
  const long = [...new Set(forms)].filter((form) => form === secret || form.length >= MIN_FORM)
  return [
    ...long.map((form) => Buffer.from(form, 'utf8')),
    ...base64,
    // Without the last zero this is in both byte orders.
    ...sent.map((text) => Buffer.from(text, 'utf16le').subarray(0, -1)),
    // Headers carry latin1 (RFC 9110 section 5.5) where bodies carry UTF-8; it has no other characters.
    ...(/[^\x00-\x7f]/.test(secret) && /^[\x00-\xff]*$/.test(secret) ? [Buffer.from(secret, 'latin1')] : []),
  ]
}

/** Characters; secrets have eight at least. */
const MIN_FORM = 8

/**
 * The base64 of a text that begins 0, 1 or 2 bytes into a group of three, in both alphabets: the characters that stand for it alone.
 *
 * Threat: the bits of a secret in the characters at the edges are half of its first or last byte.
 */
function base64Forms(bytes: Buffer): readonly Form[] {
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const first = Math.ceil((offset * 8) / 6)
    const whole = Math.floor(((offset + bytes.length) * 8) / 6)
    const core = text.slice(first, whole)
    if (core.length < MIN_FORM) return []
    const edges: Edges = { before: offset === 0 ? 0 : 1, behind: whole < text.length ? 1 : 0 }
    const alphabets = new Set([core, core.replaceAll('+', '-').replaceAll('/', '_')])
    return Array.from(alphabets, (form) => Object.assign(Buffer.from(form, 'latin1'), { edges }))
  })
}
