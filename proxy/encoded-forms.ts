/**
 * The forms in which a service says a secret back: as it is, percent-encoded (RFC 3986), escaped in JSON and HTML, in
 * hexadecimal, and in base64 wherever it begins in the encoded text (RFC 4648 sections 4 and 5). Encoders differ in what
 * they escape, so each of the common ones is spelt; of a token of letters and digits all of these are the same.
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
    ...UNESCAPED_IN_URLS.flatMap((kept) => percentForms(secret, kept)),
    ...ESCAPED_IN_JSON.flatMap((escaped) => jsonForms(secret, escaped)),
    ...HTML_ENTITIES.map((entities) => replaceEach(secret, (char) => entities[char] ?? char)),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    ...base64.flatMap((text) => [
      ...percentForms(text, ''),
      ...ESCAPED_IN_JSON.flatMap((set) => jsonForms(text, set)),
    ]),
  ]
  const long = [...new Set(forms)].filter((form) => form === secret || form.length >= MIN_FORM)
  const needles = long.map((form) => Buffer.from(form, 'utf8'))
  // Headers carry latin1 (RFC 9110 section 5.5) where bodies carry UTF-8.
  return /^[\x00-\x7f]*$/.test(secret) ? needles : [...needles, Buffer.from(secret, 'latin1')]
}

/**
 * What stands in a URL as it is, beside letters and digits: strictly by RFC 3986; `encodeURIComponent`; `encodeURI`;
 * Python's `quote`; Go's `PathEscape`; HTML forms (https://url.spec.whatwg.org/#concept-urlencoded-serializer).
 */
const UNESCAPED_IN_URLS = ['-._~', "-_.!~*'()", "-_.!~*'();/?:@&=+$,#", '-_.~/', '-_.~$&+=:@', '*-._']

/** What becomes `\uXXXX` beside control bytes: nothing; in Go and Rails; in Gson; in .NET. */
const ESCAPED_IN_JSON = ['', '<>&', "<>&='", '"&\'+<>`']

const MARKUP = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }
const QUOTED = { ...MARKUP, '"': '&quot;' }

/** Text; PHP; Java, Rails and Jinja; Python; XML; Go; Mustache; Handlebars. */
const HTML_ENTITIES: readonly Readonly<Record<string, string>>[] = [
  MARKUP,
  { ...QUOTED, "'": '&#039;' },
  { ...QUOTED, "'": '&#39;' },
  { ...MARKUP, '"': '&#34;', "'": '&#39;' },
  { ...QUOTED, "'": '&#x27;' },
  { ...QUOTED, "'": '&apos;' },
  { ...MARKUP, '"': '&#34;', "'": '&#39;', '+': '&#43;' },
  { ...QUOTED, "'": '&#39;', '/': '&#x2F;', '`': '&#x60;', '=': '&#x3D;' },
  { ...QUOTED, "'": '&#x27;', '`': '&#x60;', '=': '&#x3D;' },
]

function replaceEach(text: string, replace: (char: string) => string): string {
  return Array.from(text, replace).join('')
}

function percentForms(text: string, kept: string): string[] {
  const lower = replaceEach(text, (char) =>
    /[A-Za-z0-9]/.test(char) || kept.includes(char)
      ? char
      : Buffer.from(char, 'utf8').toString('hex').replace(/../g, '%$&'),
  )
  const upper = lower.replace(/%../g, (escape) => escape.toUpperCase())
  return [lower, upper, lower.replaceAll('%20', '+'), upper.replaceAll('%20', '+')]
}

/** With other characters as they are and as escapes, slashes escaped (PHP) or not, digits in either case. */
function jsonForms(text: string, escaped: string): string[] {
  const forms = [/^$/, /[^\x00-\x7f]/].map((foreign) =>
    replaceEach(text, (char) =>
      escaped.includes(char) || foreign.test(char)
        ? Array.from({ length: char.length }, (_, at) => escapeUnit(char.charCodeAt(at))).join('')
        : JSON.stringify(char).slice(1, -1),
    ),
  )
  const cases = forms.flatMap((form) => [
    form,
    form.replace(/\\u[0-9a-f]{4}/g, (escape) => `\\u${escape.slice(2).toUpperCase()}`),
  ])
  return cases.flatMap((form) => [form, form.replaceAll('/', '\\/')])
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
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
