/**
 * The path as the most lenient server would read it: escapes decoded repeatedly, backslashes as slashes, parameters removed,
 * dot segments resolved, repeated slashes merged. If a gateway checks any other reading, such a server leads requests out of
 * the rule.
 */
export function readLeniently(target: string): string {
  const path = decodeFully(target.replace(/^[a-z]+:\/\/[^/]*/i, '').split(/[?#]/)[0] ?? '')
  const kept: string[] = []
  for (const segment of path.replaceAll('\\', '/').split('/')) {
    const name = segment.split(';')[0] ?? ''
    if (name === '..') kept.pop()
    else if (name !== '' && name !== '.') kept.push(name)
  }
  return `/${kept.join('/')}`
}

function decodeFully(text: string): string {
  // Each round shortens the text, so this ends.
  for (let before = ''; before !== text;) {
    before = text
    text = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  }
  return text
}
