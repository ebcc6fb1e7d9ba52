import { readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import type { Failure, FileResult } from './run-file.js'

/** Keys that say again what the difference and the position say, or that only tap needs. */
const LEFT_OUT = new Set(['at', 'stack', 'source', 'diff', 'compare', 'tapCaught'])

/** Everything about a file that failed: which assertion, where, and how what was found differs. */
export function describeFailures({ file, failures, output }: FileResult): string {
  const parts = failures.map((failure, index) => describe(failure, index + 1))
  if (output.trim() !== '') parts.push(`  It also wrote:\n${indent(output.trimEnd(), 4)}`)
  return [`FAILED ${file.source}`, ...parts, `  again: npm test -- ${file.source}`].join('\n\n')
}

function describe({ path, diagnostics }: Failure, number: number): string {
  const { stack, diff, at } = diagnostics
  const lines = [`  ${number}) ${path.join(' > ')}`]
  if (typeof diff === 'string') lines.push(indent(diff.trimEnd(), 6))
  for (const [key, value] of Object.entries(diagnostics))
    if (!LEFT_OUT.has(key))
      lines.push(indent(`${key}: ${typeof value === 'string' ? value : inspect(value)}`, 6))
  if (typeof stack === 'string') lines.push(indent(toSources(stack.trimEnd()), 6))
  else if (at !== undefined) lines.push(indent(`at ${toSources(positionOf(at))}`, 6))
  return lines.join('\n')
}

function positionOf(at: unknown): string {
  const { fileName, lineNumber, columnNumber } = (at ?? {}) as Record<string, unknown>
  return `${String(fileName)}:${String(lineNumber)}:${String(columnNumber)}`
}

/** Positions in compiled files become those in their sources. */
export function toSources(text: string): string {
  return text.replaceAll(
    /(?:file:\/\/\S*\/)?(dist\/[\w./-]+\.js):(\d+):(\d+)/g,
    (whole, path: string, line: string, column: string) => {
      try {
        const map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')) as SourceMapPayload)
        const entry = map.findEntry(Number(line) - 1, Number(column) - 1)
        if (!('originalSource' in entry)) return whole
        return `${join(dirname(path), entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
      } catch {
        return whole
      }
    },
  )
}

const indent = (text: string, by: number) => text.replaceAll(/^(?=.)/gm, ' '.repeat(by))
