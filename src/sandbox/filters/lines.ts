import { hasToken, isReference, SECRET_KEY, USER_INFO, withoutUserInfo } from './secret-text.js'

/** `key = value` in sections, or `key: value` in levels. */
export type LineFormat = 'ini' | 'yaml'

const KEY: Readonly<Record<LineFormat, RegExp>> = {
  // A key of npm may contain colons, and ends with [] if it is a list.
  ini: /^(\s*)([^=\s#;[]+(?:\[\])?)(\s*=\s*)(.*)$/,
  // The older format of Yarn has no colon.
  yaml: /^(\s*(?:-\s+)?)(["']?[\w@./:-]+?["']?)(:(?:\s+|$)|\s+)(.*)$/,
}

/**
 * The lines of a file of settings that are no secret. A value of a secret key is left out, unless it names a variable, and so are
 * the lines that continue it, comments that could be an old value, and lines of no known form. URLs lose user and password.
 */
export function filterLines(text: string, format: LineFormat): string {
  let isSecret = false
  let depth = 0
  const kept = text.split('\n').flatMap((line): string[] => {
    if (/^\s*$/.test(line)) return [line]
    if (/^\s*[#;!]/.test(line)) return isHarmless(line) ? [line] : []
    if (/^\s*\[[^\]]*\]+\s*$/.test(line)) {
      isSecret = false
      return [line]
    }
    const indent = /^\s*/.exec(line)?.[0].length ?? 0
    if (isSecret && indent > depth) return []
    const [, space = '', key, separator = '', value = ''] = KEY[format].exec(line) ?? []
    if (key === undefined || (format === 'ini' && indent > depth && line.search(USER_INFO) >= 0)) {
      const rest = withoutUserInfo(line)
      return (indent > 0 && !hasToken(rest)) || /^[\])},]+\s*$/.test(rest) ? [rest] : []
    }
    isSecret = SECRET_KEY.test(key.replaceAll(/["']/g, '')) && !isReference(value)
    depth = indent
    // A mapping that loses its only key would be no mapping.
    if (isSecret) return format === 'yaml' && separator.startsWith(':') ? [`${space}${key}: ""`] : []
    const shown = withoutUserInfo(value)
    return hasToken(shown) ? [] : [`${space}${key}${separator}${shown}`]
  })
  return kept.join('\n')
}

const isHarmless = (comment: string): boolean =>
  !SECRET_KEY.test(comment) && comment.search(USER_INFO) === -1 && !hasToken(comment)
