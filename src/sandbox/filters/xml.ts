import { hasToken, isReference, SECRET_KEY, withoutUserInfo } from './secret-text.js'

/** Elements of Maven and NuGet in which everything belongs to an account; of a server of Maven, its id says which repository it is for. */
const ACCOUNTS = /^(servers|packageSourceCredentials|apikeys|clientCertificates)$/i
const KEPT_IN_ACCOUNTS = /^(server|id)$/

/** Levels of elements; settings have less than ten. */
const MAX_DEPTH = 50

interface Token {
  readonly kind: 'tag' | 'text' | 'comment' | 'data'
  readonly text: string
}

/**
 * Settings in XML without secrets: values of elements and attributes with such a name, comments that could be one, and everything
 * about accounts but their ids. Null for what it cannot read, and for entities, of which only a parser knows what they are.
 */
export function filterXml(text: string): string | null {
  const tokens = tokenize(text)
  if (tokens === null) return null
  const open: string[] = []
  let shown = ''
  for (const { kind, text: token } of tokens) {
    const inAccounts = open.findIndex((name) => ACCOUNTS.test(name))
    const name = open.at(-1) ?? ''
    const isKept = inAccounts === -1 || open.slice(inAccounts + 1).every((one) => KEPT_IN_ACCOUNTS.test(one))
    if (kind === 'tag') {
      const tag = nameOf(token)
      if (token.startsWith('</')) {
        if (isKept) shown += token
        // A file that is no XML may close what it has not opened.
        if (open.pop() !== tag) return null
      } else {
        const isInside = inAccounts !== -1 && !KEPT_IN_ACCOUNTS.test(tag)
        if (isKept && !isInside) shown += filterTag(token)
        if (!token.endsWith('/>') && !/^<[?]/.test(token) && open.push(tag) > MAX_DEPTH) return null
      }
    } else if (kind === 'comment') {
      if (isKept && isHarmless(token)) shown += token
    } else if (isKept && (inAccounts === -1 || name === 'id' || token.trim() === '')) {
      shown += isSecret(name, token) ? '' : withoutUserInfo(token)
    }
  }
  return open.length === 0 ? shown : null
}

/** Null for XML that is not well-formed, or declares a type. Linear in the length of the text. */
function tokenize(text: string): Token[] | null {
  const tokens: Token[] = []
  for (let at = 0; at < text.length;) {
    const [kind, end] = text.startsWith('<!--', at)
      ? (['comment', after(text, '-->', at)] as const)
      : text.startsWith('<![CDATA[', at)
        ? (['data', after(text, ']]>', at)] as const)
        : text[at] === '<'
          ? (['tag', after(text, '>', at)] as const)
          : (['text', text.indexOf('<', at) === -1 ? text.length : text.indexOf('<', at)] as const)
    const token = text.slice(at, end)
    if (end === 0 || (kind === 'tag' && !/^<(\/?[\w.:-]|\?)/.test(token))) return null
    tokens.push({ kind, text: token })
    at = end
  }
  return tokens.some(({ kind }) => kind === 'tag') ? tokens : null
}

/** The position after the next `mark`; 0 if there is none. */
function after(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from)
  return at === -1 ? 0 : at + mark.length
}

const nameOf = (tag: string): string => /^<[/?]?([\w.:-]*)/.exec(tag)?.[1] ?? ''

/** Attributes of a secret name, and `value` beside a `key` of one: `<add key="token" value="…" />`. */
function filterTag(tag: string): string {
  const [, key = ''] = /\bkey\s*=\s*"([^"]*)"/i.exec(tag) ?? []
  return tag.replace(
    /([\w.:-]+)(=)("[^"]*"|'[^']*')/g,
    (whole, name: string, sign: string, quoted: string) => {
      const value = quoted.slice(1, -1)
      if (/^(key|xmlns.*|xsi:.*)$/i.test(name)) return withoutUserInfo(whole)
      return isSecret(name, value) || (/^value$/i.test(name) && isSecret(key, value))
        ? `${name}${sign}""`
        : withoutUserInfo(whole)
    },
  )
}

const isSecret = (name: string, value: string): boolean =>
  value.trim() !== '' && !isReference(value) && (SECRET_KEY.test(name) || hasToken(withoutUserInfo(value)))

const isHarmless = (comment: string): boolean =>
  !/<(password|passphrase|privateKey|username|add)\b/i.test(comment) &&
  !hasToken(comment) &&
  withoutUserInfo(comment) === comment
