/**
 * The forms in which a service says a secret back: as it is, percent-encoded (RFC 3986), escaped in JSON, in hexadecimal,
 * and in base64 wherever it begins in the encoded text (RFC 4648 sections 4 and 5).
 *
 * A form shorter than `MIN_FORM` would blank ordinary text and is left out.
 */
export function encodedForms(secret: string): readonly Buffer[] {
  if (secret === '') return []
  const bytes = Buffer.from(secret, 'utf8')
  const base64 = [0, 1, 2].map((offset) => base64Core(bytes, offset))
  const hex = bytes.toString('hex')
  const forms = [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(secret).slice(1, -1).replaceAll('/', '\\/'),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    ...base64.map(encodeURIComponent),
  ]
  const long = [...new Set(forms)].filter((form) => form === secret || form.length >= MIN_FORM)
  const needles = long.map((form) => Buffer.from(form, 'utf8'))
  // Headers carry latin1 (RFC 9110 section 5.5) where bodies carry UTF-8.
  return /^[\x00-\x7f]*$/.test(secret) ? needles : [...needles, Buffer.from(secret, 'latin1')]
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
