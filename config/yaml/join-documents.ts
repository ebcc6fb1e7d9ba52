import { isMap, isNode, isScalar, isSeq, type Document, type Pair, type YAMLMap } from 'yaml'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { quote } from '../issues/quote.js'

/** Reports an error at an offset of the text. */
type Report = (offset: number, diagnostic: Diagnostic) => void

/** A step of a path that may be any name. */
const ANY = '*'

/** Mappings of which a later document may have further keys. */
const MAPPINGS: readonly (readonly string[])[] = [
  [],
  ['services'],
  ['services', ANY],
  ['agents'],
  ['agents', ANY],
  ['agents', ANY, 'rules'],
  ['secrets'],
]

/** Lists to which a later document may add. */
const LISTS: readonly (readonly string[])[] = [
  ['allow'],
  ['quiet'],
  ['tests'],
  ['services', ANY, 'rules'],
  ['services', ANY, 'extra_rules'],
  ['agents', ANY, 'services'],
  ['agents', ANY, 'allow'],
  ['agents', ANY, 'rules', ANY],
]

/**
 * Adds what later documents of a file say to the first one, so that a fragment can be appended to any policy: sections, services
 * and agents go on, and so do lists of rules and hosts. Whatever else is there twice is an error, never a choice between two.
 */
export function joinDocuments(first: Document, others: readonly Document[], report: Report): void {
  for (const { contents } of others) {
    if (contents === null || (isScalar(contents) && contents.value === null)) continue
    if (first.contents === null || (isScalar(first.contents) && first.contents.value === null))
      first.contents = contents
    else if (isMap(first.contents) && isMap(contents)) joinMaps(first.contents, contents, [], report)
    else
      report(offsetOf(contents), {
        problem: 'This document of the policy, or the first one, is not a mapping',
        fix: 'Begin each with `services:`, `allow:` or another section',
      })
  }
}

function joinMaps(into: YAMLMap, from: YAMLMap, path: readonly string[], report: Report): void {
  // A key twice in one document is found by the parser.
  const earlier = [...into.items]
  for (const pair of from.items) {
    const name = nameOf(pair)
    const known = earlier.find((one) => nameOf(one) === name)
    if (known === undefined || name === null) {
      into.items.push(pair)
      continue
    }
    const at = [...path, name]
    if (isMap(known.value) && isMap(pair.value) && isIn(MAPPINGS, at))
      joinMaps(known.value, pair.value, at, report)
    else if (isSeq(known.value) && isSeq(pair.value) && isIn(LISTS, at))
      known.value.items.push(...pair.value.items)
    else
      report(offsetOf(pair.key), {
        problem: `Duplicate key ${quote(name)}: an earlier document of this file has it`,
        fix: 'Keep one of the two',
      })
  }
}

function nameOf({ key }: Pair): string | null {
  return isScalar(key) ? String(key.value) : null
}

function isIn(paths: readonly (readonly string[])[], path: readonly string[]): boolean {
  return paths.some(
    (one) => one.length === path.length && one.every((step, index) => step === ANY || step === path[index]),
  )
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}
