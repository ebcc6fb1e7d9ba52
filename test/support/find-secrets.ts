import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodingsOf } from '#examples/stand-ins/needles.js'

/** Every spelling of a text that is looked for, none of them by the product's own code. UTF-16 is for the search to read. */
export function spellingsOf(text: string): readonly string[] {
  const percent = encodeURIComponent(text)
  const every = Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  const hex = Buffer.from(text).toString('hex')
  const forms = Object.values(encodingsOf(text)).flat()
  return [
    ...new Set([...forms, hex.toUpperCase(), percent, percent.toLowerCase(), every, every.toUpperCase()]),
  ]
}

export interface Search {
  /** The names of the texts that the file holds, in any spelling, also with a NUL after each character (UTF-16). */
  inFile(path: string): readonly string[]
  inText(text: string): readonly string[]
  close(): void
}

/** Looks for texts, by their names, with grep. */
export function searchFor(texts: Readonly<Record<string, string>>): Search {
  const place = mkdtempSync(join(tmpdir(), 'egress-needles-'))
  const owners = new Map(
    Object.entries(texts).flatMap(([name, text]) => spellingsOf(text).map((form) => [form, name] as const)),
  )
  const needles = join(place, 'needles')
  writeFileSync(needles, [...owners.keys()].join('\n'), { mode: 0o600 })
  const inFile = (path: string) => {
    const script = `tr -d '\\000' < "$1" | LC_ALL=C grep -a -o -F -f "$2" | LC_ALL=C sort -u`
    const { stdout, status } = spawnSync('sh', ['-c', script, 'sh', path, needles], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${path} was not searched`)
    const found = stdout.split('\n').filter((line) => line !== '')
    return [...new Set(found.map((form) => owners.get(form) ?? 'unknown'))]
  }
  return {
    inFile,
    inText(text) {
      const path = join(place, 'text')
      writeFileSync(path, text)
      return inFile(path)
    },
    close: () => rmSync(place, { recursive: true }),
  }
}
