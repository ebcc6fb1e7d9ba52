import { filterJson } from './json.js'
import { filterLines, type LineFormat } from './lines.js'
import { USER_INFO } from './secret-text.js'
import { filterXml } from './xml.js'

/** A check of the content, for names that alone do not decide. */
export type MaskedContent =
  | 'not-a-public-pem'
  | 'private-key'
  | 'git-credential'
  | 'git-settings'
  | 'ini-settings'
  | 'yaml-settings'
  | 'xml-settings'
  | 'json-settings'
  | 'json-credential'
  | 'composer-credential'

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
  'git-settings': (text) => (GIT_SECTION.test(text) ? changed(text, gitLine) : null),
  'ini-settings': (text) => settings(text, 'ini'),
  'yaml-settings': (text) => settings(text, 'yaml'),
  'xml-settings': (text) => orNull(text, filterXml(text) ?? ''),
  'json-credential': (text) => filterJson(text, new Date()) ?? '',
  'json-settings': (text) => orNull(text, sameJson(text, filterJson(text, new Date()) ?? '')),
}

/** Of a file that has no name of git's. */
const GIT_SECTION = /^[ \t]*\[(?:core|remote|url|http|credential|include|includeif|submodule)[\] \t."]/im

/** Every Python environment contains certificate bundles. Hiding them would break TLS and protect nothing. */
function isPublicPem(text: string): boolean {
  return /-----BEGIN (CERTIFICATE|PUBLIC KEY)-----/.test(text) && !text.includes('PRIVATE KEY')
}

/** A token in the URL of a remote, or in the header that CI checkouts store. */
function gitLine(line: string): string | null {
  const [key = ''] = line.trim().split(/[\s=]/)
  if (/extraheader|password|token|secret|cookie|^helper$/i.test(key) && key !== 'helper') return null
  // A header of a section may be followed by a setting on the same line.
  if (/^\s*\[.*\].*extraheader/i.test(line)) return null
  return line.replace(USER_INFO, '://')
}

function settings(text: string, format: LineFormat): string | null {
  const shown = filterLines(text, format)
  // Empty lines alone say nothing.
  return orNull(text, shown.trim() === '' ? '' : shown)
}

const orNull = (text: string, shown: string): string | null => (shown === text ? null : shown)

/** The text itself if what is shown differs in its layout only. */
function sameJson(text: string, shown: string): string {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(JSON.parse(shown)) ? text : shown
  } catch {
    return shown
  }
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
