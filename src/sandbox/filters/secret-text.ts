import { TOKEN_FORMATS } from '#config/issues/token-formats.js'

/** User and password of a URL. */
export const USER_INFO = /:\/\/[^/\s@"'<>]+@/g

/** Names of settings whose values are secrets, or whose values belong to one person. */
export const SECRET_KEY =
  /auth|token|passw|passphrase|secret|credential|api-?_?key|private-?_?key|user-?name|e-?mail|otp|^(key|pwd)$|(^|-)user$|:key$/i

/** A name of the environment instead of a value: `${TOKEN}`, `$TOKEN`, `${env.TOKEN}`, `%TOKEN%`. In the sandbox it is a placeholder. */
export function isReference(value: string): boolean {
  return /^["']?(Bearer |Basic )?(\$\{(env\.)?[A-Za-z_][A-Za-z0-9_]*[-?]?\}|\$[A-Z_][A-Z0-9_]*|%[A-Z_][A-Z0-9_]*%)["']?$/.test(
    value.trim(),
  )
}

/** URLs without the user and the password, unless these name variables. */
export function withoutUserInfo(text: string): string {
  return text.replace(USER_INFO, (found) =>
    found
      .slice(3, -1)
      .split(':')
      .every((part) => isReference(part))
      ? found
      : '://',
  )
}

/** Whether a text contains a token of a known issuer, or a long word that is none: letters and digits by turns, and no path. */
export function hasToken(text: string): boolean {
  if (TOKEN_FORMATS.some(({ prefix }) => prefix.length > 3 && text.includes(prefix))) return true
  return [...text.matchAll(/[A-Za-z0-9+/_~-]{24,}/g)].some(([word]) => {
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(word)) return false
    const parts = word.split('/')
    const isPath = parts.length > 1 && !parts.some((part) => /[A-Z]/.test(part) && /\d/.test(part))
    return !isPath && (word.match(/[A-Za-z]\d|\d[A-Za-z]/g) ?? []).length > 2
  })
}
