import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

const QUOTE_STAR =
  'Put the value in quotes: `allow: "* /**"`, `host: "*.example.com"`. In YAML an unquoted `*` begins an alias'

/**
 * The diagnostic for a YAML error. The parser's own messages may quote the line, which may contain a secret, so the message is
 * chosen by the error code, or by the pattern of the line for errors that are common in policies.
 */
export function yamlError(code: string, line: string): Diagnostic {
  if (code === 'BAD_ALIAS' || code === 'ALIAS') {
    return { problem: 'An unquoted value begins with `*`', fix: QUOTE_STAR }
  }
  if (/[{,]\s*[\w-]+\s*:\s*[^"',]*\$\{/.test(line)) {
    return {
      problem: 'An unquoted `${…}` is inside `{ }`, where YAML uses braces itself',
      fix: 'Quote it: `{ username: me, password: "${NAME}" }`',
    }
  }
  switch (code) {
    case 'TAB_AS_INDENT':
      return { problem: 'The line is indented with a tab', fix: 'Indent with spaces' }
    case 'BAD_SCALAR_START':
      return { problem: 'An unquoted value begins with `@` or a backtick', fix: 'Put the value in quotes' }
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        problem: 'There are two mappings on one line',
        fix: 'Put a value that contains `: ` in quotes, or begin the inner mapping on the next line',
      }
    case 'TAG_RESOLVE_FAILED':
      return { problem: 'A value begins with `!`, which is a tag in YAML', fix: 'Put the value in quotes' }
    case 'MISSING_CHAR':
      return {
        problem: 'Missing closing quote or bracket, or missing `:` after a key, here or above',
        fix: 'Write `key: value`, and close every quote, `[` and `{`',
      }
    case 'BAD_INDENT':
      return {
        problem: 'Wrong indentation, or an unclosed `[` or `{` above',
        fix: 'Indent every level by two spaces, and close every bracket',
      }
    case 'NON_STRING_KEY':
      return { problem: 'A key is not plain text', fix: 'Write `key: value`' }
    default:
      return {
        problem: 'Invalid YAML',
        fix: 'Put the value in quotes if it contains one of : # { } [ ] , & * ! | > % @',
      }
  }
}
