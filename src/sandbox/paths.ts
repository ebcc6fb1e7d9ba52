import { join, relative, sep } from 'node:path'

/** Whether `path` is `tree` itself or is below it. */
export function isWithin(path: string, tree: string): boolean {
  return path === tree || tree === '/' || path.startsWith(tree + '/')
}

/** The directories between a tree and a path inside it, outermost first. */
export function directoriesAbove(path: string, tree: string): string[] {
  const names = relative(tree, path).split(sep).slice(0, -1)
  return names.map((_, index) => join(tree, ...names.slice(0, index + 1)))
}
