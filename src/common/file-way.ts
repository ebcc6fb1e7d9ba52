import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Linux follows at most this many symbolic links in one path. */
const MAX_LINKS = 40

/** Everything that decides which file a name leads to. */
export interface FileWay {
  /** symbolic links on the way, at their real locations */
  readonly links: readonly string[]
  /** where the way ends: the real path of the file, whether or not it exists */
  readonly end: string
}

/** Follows a path step by step, as the kernel does. */
export function wayTo(path: string): FileWay {
  const links: string[] = []
  const rest = resolve(path).split('/').filter(Boolean)
  let here = ''
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '.') continue
    if (name === '..') {
      here = dirname(here === '' ? '/' : here).replace(/^\/$/, '')
      continue
    }
    const next = `${here}/${name}`
    const target = linkTarget(next)
    if (target === null || links.length >= MAX_LINKS) here = next
    else {
      links.push(next)
      rest.unshift(...target.split('/').filter(Boolean))
      if (target.startsWith('/')) here = ''
    }
  }
  return { links, end: here === '' ? '/' : here }
}

/** The real path; the path itself if it does not exist. */
export function realOrSame(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null
  } catch {
    return null
  }
}
