import type { MaskedContent } from './masked-names.js'

/**
 * What a sandbox may see of a file whose name alone does not decide.
 *
 * @param text the content; null if the file cannot be read or is too large, which counts as a secret
 * @returns null if the sandbox may see the file itself, otherwise the content to show instead ('' hides all of it)
 */
export function filterContent(check: MaskedContent, text: string | null): string | null {
  return text === null ? '' : FILTERS[check](text)
}

const FILTERS: Readonly<Record<MaskedContent, (text: string) => string | null>> = {
  'not-a-public-pem': (text) => (isPublicPem(text) ? null : ''),
  // An empty file may be one that is being written.
  'private-key': (text) => (text.trim() !== '' && !/PRIVATE KEY|SSH2 ENCRYPTED/.test(text) ? null : ''),
  'composer-credential': (text) =>
    /oauth|token|password|http-basic|bearer|secret|SECRET|key/i.test(text) || text.trim() === '' ? '' : null,
  'git-credential': (text) => changed(text, gitLine),
  'npm-settings': (text) => changed(text, npmLine),
  'yarn-settings': (text) => changed(text, yarnLine),
}

/** Every Python environment contains certificate bundles. Hiding them would break TLS and protect nothing. */
function isPublicPem(text: string): boolean {
  return /-----BEGIN (CERTIFICATE|PUBLIC KEY)-----/.test(text) && !text.includes('PRIVATE KEY')
}

/** User and password of a URL. */
const USER_INFO = /:\/\/[^/\s@"']+@/g

const SECRET_KEY = /auth|token|passw|secret|credential|api-?key|user-?name|e-?mail|otp|^key$|:key$/i

/** A token in the URL of a remote, or in the header that CI checkouts store. */
function gitLine(line: string): string | null {
  const [key = ''] = line.trim().split(/[\s=]/)
  if (/extraheader|password|token|secret|cookie|^helper$/i.test(key) && key !== 'helper') return null
  // A header of a section may be followed by a setting on the same line.
  if (/^\s*\[.*\].*extraheader/i.test(line)) return null
  return line.replace(USER_INFO, '://')
}

/** `key = value`, comments and blank lines; any other line could be the rest of a secret. */
function npmLine(line: string): string | null {
  if (/^\s*([#;].*)?$/.test(line)) return /^\s*$/.test(line) ? line : null
  const [, key, value = ''] = /^\s*([^=\s]+(?:\[\])?)\s*(?:=(.*))?$/s.exec(line) ?? []
  if (key === undefined || !line.includes('=') || SECRET_KEY.test(key)) return null
  return value.search(USER_INFO) === -1 ? line : null
}

/** YAML, or the older `key value`. The value of a secret key becomes empty, so that its mapping does not lose its only key. */
function yarnLine(line: string): string | null {
  if (/^\s*$/.test(line)) return line
  const [, indent = '', key, colon] = /^(\s*(?:-\s+)?)(["']?[\w@./:-]+?["']?)(:|\s)(?:\s|$)?/.exec(line) ?? []
  if (key === undefined) return null
  if (SECRET_KEY.test(key.replaceAll(/["']/g, ''))) return colon === ':' ? `${indent}${key}: ""` : null
  return line.search(USER_INFO) === -1 ? line : null
}

/** Null if no line has to be changed. */
function changed(text: string, line: (line: string) => string | null): string | null {
  const lines = text.split('\n').flatMap((before) => {
    const after = line(before)
    return after === null ? [] : [after]
  })
  const kept = lines.join('\n')
  return kept === text ? null : kept
}
