/**
 * The forms in which a service says a secret back: as it is, in hexadecimal, in UTF-16, and in base64 wherever it begins
 * in the encoded text (RFC 4648 sections 4 and 5), so that base64 of `user:secret` is found by the secret alone.
 *
 * Escapes are undone by the scanner, once, in whatever mixture; the usual escaped forms are here too, for text that was
 * escaped twice. A form shorter than `MIN_FORM` would blank ordinary text and is left out.
 */
export function encodedForms(secret: string): readonly Buffer[] {
  if (secret === '') return []
  const bytes = Buffer.from(secret, 'utf8')
  const base64 = [0, 1, 2].map((offset) => base64Core(bytes, offset))
  const hex = bytes.toString('hex')
  const percent = encodeURIComponent(secret)
  const json = JSON.stringify(secret).slice(1, -1)
  const forms = [
    secret,
    // Readings of the scanner skip line breaks, so their secret patterns have none.
    secret.replace(/[\r\n]+/g, ''),
    // application/x-www-form-urlencoded writes a space as `+`.
    secret.replaceAll(' ', '+'),
    percent,
    percent.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    json,
    json.replaceAll('/', '\\/'),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ]
  const long = [...new Set(forms)].filter((form) => form === secret || form.length >= MIN_FORM)
  return [
    ...long.map((form) => Buffer.from(form, 'utf8')),
    // Without the last zero this is in both byte orders.
    Buffer.from(secret, 'utf16le').subarray(0, -1),
    // Headers carry latin1 (RFC 9110 section 5.5) where bodies carry UTF-8; it has no other characters.
    ...(/[^\x00-\x7f]/.test(secret) && /^[\x00-\xff]*$/.test(secret) ? [Buffer.from(secret, 'latin1')] : []),
  ]
}

/** Characters; secrets have eight at least. */
const MIN_FORM = 8

/**
 * The characters that stand for the secret alone when it begins `offset` bytes into a group of three: those that also hold
 * bits of what stands before or after it are cut off.
 */
function base64Core(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '')
  const first = Math.ceil((offset * 8) / 6)
  const whole = Math.floor(((offset + bytes.length) * 8) / 6)
  return text.slice(first, whole)
}
