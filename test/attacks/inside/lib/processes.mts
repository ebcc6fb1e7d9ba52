import { readdirSync, readFileSync } from 'node:fs'
import type { Scanner } from './fingerprint.mjs'
import { chunksOf, searchFile } from './search-files.mjs'

/** Every visible process. */
export function visibleProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** A field of `/proc/<pid>/status`, or an empty text. */
export function statusField(pid: number | 'self', field: string): string {
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? ''
}

/** Names of the fingerprints in the arguments, environment and memory of a process. */
export function searchProcess(pid: number, scanner: Scanner): string[] {
  const found = new Set<string>()
  for (const view of ['cmdline', 'environ']) {
    for (const name of searchFile(`/proc/${pid}/${view}`, scanner)) found.add(name)
  }
  for (const [start, end] of readableRegions(pid)) {
    for (const chunk of chunksOf(`/proc/${pid}/mem`, start, end)) {
      for (const name of scanner.scan(chunk)) found.add(name)
    }
  }
  return [...found]
}

function readableRegions(pid: number): [start: number, end: number][] {
  return readOrEmpty(`/proc/${pid}/maps`)
    .split('\n')
    .flatMap((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line)
      if (match === null || line.includes('[v')) return []
      const [start, end] = [parseInt(match[1] ?? '', 16), parseInt(match[2] ?? '', 16)]
      return end > Number.MAX_SAFE_INTEGER ? [] : [[start, end] satisfies [number, number]]
    })
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
