/**
 * Sets a field of a JSON object without changing any other byte: the client's numbers (which JavaScript may not be able to
 * represent), key order and white space stay.
 *
 * @param text JSON (RFC 8259)
 * @param path names of the nested members, outermost first; missing objects are created
 * @returns null if the text is not a JSON object, if a member on the path is not an object, or if a name on the path occurs
 *   twice, because readers differ in which one they use
 */
export function setJsonField(text: string, path: readonly string[], value: string): string | null {
  try {
    JSON.parse(text)
  } catch {
    return null
  }
  let at = skipSpace(text, 0)
  for (const [depth, name] of path.entries()) {
    if (text[at] !== '{') return null
    const members = membersOf(text, at)
    const found = members.filter((member) => member.name === name)
    const [member] = found
    if (found.length > 1) return null
    if (member === undefined) {
      const rest = path
        .slice(depth + 1)
        .reduceRight((inner, key) => `{${JSON.stringify(key)}:${inner}}`, JSON.stringify(value))
      const comma = members.length === 0 ? '' : ','
      return `${text.slice(0, at + 1)}${JSON.stringify(name)}:${rest}${comma}${text.slice(at + 1)}`
    }
    if (depth === path.length - 1)
      return text.slice(0, member.begin) + JSON.stringify(value) + text.slice(member.end)
    at = member.begin
  }
  return null
}

interface Member {
  readonly name: string
  /** Start and end of its value. */
  readonly begin: number
  readonly end: number
}

/** The members of the object at `at`, in valid JSON. */
function membersOf(text: string, at: number): readonly Member[] {
  const members: Member[] = []
  let position = skipSpace(text, at + 1)
  while (text[position] === '"') {
    const nameEnd = endOfString(text, position)
    const name = JSON.parse(text.slice(position, nameEnd)) as string
    const begin = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const end = endOfValue(text, begin)
    members.push({ name, begin, end })
    const after = skipSpace(text, end)
    position = text[after] === ',' ? skipSpace(text, after + 1) : after
  }
  return members
}

function endOfValue(text: string, begin: number): number {
  const first = text[begin]
  if (first === '"') return endOfString(text, begin)
  let position = begin
  if (first !== '{' && first !== '[') {
    while (position < text.length && !/[\s,}\]]/.test(text[position] ?? '')) position += 1
    return position
  }
  let depth = 0
  do {
    const character = text[position]
    if (character === '"') {
      position = endOfString(text, position)
      continue
    }
    if (character === '{' || character === '[') depth += 1
    if (character === '}' || character === ']') depth -= 1
    position += 1
  } while (depth > 0)
  return position
}

function endOfString(text: string, begin: number): number {
  let position = begin + 1
  while (text[position] !== '"') position += text[position] === '\\' ? 2 : 1
  return position + 1
}

function skipSpace(text: string, from: number): number {
  let position = from
  while (/[ \t\r\n]/.test(text[position] ?? '')) position += 1
  return position
}
