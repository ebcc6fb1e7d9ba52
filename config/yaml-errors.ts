import type { Diagnostic } from '#firewall/names/host-pattern.js'

const QUOTE_STAR =
  'put the value in quotes: `allow: "* /**"`, `host: "*.example.com"`; to YAML an unquoted `*` begins an alias'

/**
 * What to say about a line that is not YAML. The parser's own messages may repeat what stands there, so ours are chosen
 * by its error code, and by the shape of the line for the slips that policies invite.
 */
export function yamlError(code: string, line: string): Diagnostic {
  if (code === 'BAD_ALIAS' || code === 'ALIAS') {
    return { problem: 'an unquoted value begins with `*`', fix: QUOTE_STAR }
  }
  if (/[{,]\s*[\w-]+\s*:\s*[^"',]*\$\{/.test(line)) {
    return {
      problem: 'an unquoted `${…}` stands inside `{ }`, where braces belong to YAML',
      fix: 'quote it there: `{ username: me, password: "${NAME}" }`',
    }
  }
  switch (code) {
    case 'TAB_AS_INDENT':
      return { problem: 'the line is indented with a tab', fix: 'indent with spaces' }
    case 'BAD_SCALAR_START':
      return { problem: 'an unquoted value begins with `@` or a backtick', fix: 'put the value in quotes' }
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        problem: 'two colons make two mappings on one line',
        fix: 'put a value that contains `: ` in quotes, or begin the inner mapping on the next line',
      }
    case 'MULTIPLE_DOCS':
      return { problem: 'a second YAML document begins here', fix: 'keep one document: remove the `---`' }
    case 'TAG_RESOLVE_FAILED':
      return { problem: 'a value begins with `!`, which is a tag to YAML', fix: 'put the value in quotes' }
    case 'MISSING_CHAR':
      return {
        problem: 'a closing quote or bracket, or the `:` after a key, is missing here or above',
        fix: 'write `key: value`, and close every quote, `[` and `{`',
      }
    case 'BAD_INDENT':
      return {
        problem: 'the indentation does not fit, or a `[` or `{` above is not closed',
        fix: 'indent every level by two spaces, and close every bracket',
      }
    case 'NON_STRING_KEY':
      return { problem: 'a key is not plain text', fix: 'write `key: value`' }
    default:
      return {
        problem: 'the file is not valid YAML here',
        fix: 'put the value in quotes if it has one of : # { } [ ] , & * ! | > % @ in it',
      }
  }
}
