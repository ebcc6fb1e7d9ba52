import {
  Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type Node,
  type YAMLError,
} from 'yaml'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { IssueList, type Path, type SourcePosition } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import { joinDocuments } from './join-documents.js'
import { yamlError } from './yaml-errors.js'

/** A YAML file with the position of every value. */
export interface YamlSource {
  /** Plain data; undefined if the file is empty. */
  readonly value: unknown
  readonly issues: IssueList
  /** Every text in the file with its path, keys included. */
  readonly scalars: readonly { readonly path: Path; readonly text: string; readonly part: 'key' | 'value' }[]
}

/**
 * Reads YAML 1.2 in the small part of it that a policy needs: no anchors, aliases or tags. So every rule is written where it
 * applies, and no alias can expand without bound. Several documents are one policy. Errors go into `issues`; `value` is null if
 * the file is not YAML at all.
 */
export function readYaml(
  file: string,
  text: string,
): YamlSource | { readonly value: null; readonly issues: IssueList } {
  const lines = new LineCounter()
  // prettyErrors would copy the line, which may contain a secret, into the message.
  const options = { prettyErrors: false, lineCounter: lines, stringKeys: true } as const
  const [document = new Document(null), ...others] = parseAllDocuments(text, options) as Document.Parsed[]
  const issues = new IssueList(file, (path, part) => positionAt(lines, offsetOf(document, path, part)))
  const fatal = addSyntaxIssues([document, ...others], text, lines, issues)
  joinDocuments(document, others, (offset, diagnostic) => issues.addAt(positionAt(lines, offset), diagnostic))
  const scalars = walk(document, text, lines, issues)
  if (fatal || scalars === null) return { value: null, issues }
  const value: unknown = document.contents === null ? undefined : document.toJS()
  return { value: value ?? undefined, issues, scalars }
}

function addSyntaxIssues(
  documents: readonly Document[],
  text: string,
  lines: LineCounter,
  issues: IssueList,
): boolean {
  const diagnostics = documents
    .flatMap(({ errors, warnings }) => [...errors, ...warnings])
    .sort((a, b) => a.pos[0] - b.pos[0])
  const report = (error: YAMLError): void => {
    issues.addAt(positionAt(lines, error.pos[0]), describeError(error, text))
  }
  diagnostics.filter(({ code }) => code === 'DUPLICATE_KEY').forEach(report)
  // Only the first syntax error: later ones usually follow from it.
  const [first] = diagnostics.filter(({ code }) => code !== 'DUPLICATE_KEY')
  if (first !== undefined) report(first)
  let fatal = first !== undefined
  const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text)
  if (control !== null) {
    issues.addAt(positionAt(lines, control.index), {
      problem: 'The policy contains a control byte',
      fix: 'Remove it',
    })
    fatal = true
  }
  if (
    documents.some(
      ({ directives }) => directives?.yaml.explicit === true && directives.yaml.version !== '1.2',
    )
  ) {
    issues.addAt(
      { line: 1, column: 1 },
      { problem: 'Unsupported YAML version', fix: 'Remove the `%YAML` line; policies are YAML 1.2' },
    )
    fatal = true
  }
  return fatal
}

function describeError(error: YAMLError, text: string): Diagnostic {
  const [start] = error.pos
  const lineStart = text.lastIndexOf('\n', start - 1) + 1
  const lineEnd = text.indexOf('\n', lineStart)
  const line = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd)
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^["']?([\w.-]+)/.exec(text.slice(start))?.[1] ?? ''
    return { problem: `Duplicate key ${quote(key)}`, fix: 'Keep one of the two' }
  }
  return yamlError(error.code, line)
}

/** Null if the document contains YAML that policies must not use. */
function walk(
  document: Document,
  text: string,
  lines: LineCounter,
  issues: IssueList,
): YamlSource['scalars'] | null {
  const scalars: { path: Path; text: string; part: 'key' | 'value' }[] = []
  let rejected = 0
  const reject = (offset: number, diagnostic: Diagnostic): void => {
    rejected += 1
    issues.addAt(positionAt(lines, offset), diagnostic)
  }
  visit(document, {
    Node(key, node, ancestors) {
      const start = node.range?.[0] ?? 0
      if (isAlias(node)) {
        reject(start, yamlError('ALIAS', ''))
      } else if (node.anchor !== undefined) {
        reject(text.lastIndexOf('&', start), {
          problem: 'A value begins with `&`, which is an anchor in YAML; policies do not support anchors',
          fix: 'Put the value in quotes, or write it out where you need it',
        })
      } else if (isScalar(node) && typeof node.value === 'string') {
        const path = pathOf(ancestors, node)
        if (key === 'key' && node.value === '__proto__') {
          reject(start, { problem: 'The key `__proto__` is not allowed', fix: 'Choose another name' })
        }
        scalars.push({ path, text: node.value, part: key === 'key' ? 'key' : 'value' })
      }
    },
  })
  return rejected === 0 ? scalars : null
}

type Ancestors = readonly unknown[]

/** The path of a node below its ancestors: keys of mappings, indexes of sequences. */
function pathOf(ancestors: Ancestors, node: Node): Path {
  const chain = [...ancestors, node]
  return chain.flatMap((parent, index): (string | number)[] => {
    const child = chain[index + 1]
    if (isSeq(parent)) return [parent.items.indexOf(child)]
    if (isMap(parent)) {
      const pair = parent.items.find((item) => item === child)
      return pair === undefined || !isScalar(pair.key) ? [] : [String(pair.key.value)]
    }
    return []
  })
}

/** Offset of the value at a path, or of the deepest part of the path that exists. */
function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1
    if (isMap(node)) {
      const { items } = node
      const pairOf = (name: unknown) => items.find(({ key }) => isScalar(key) && key.value === name)
      // A key that is not in the file comes from the preset, so report the position of `use`.
      const preset = index === 2 && path[0] === 'services' ? pairOf('use') : undefined
      const pair = pairOf(step) ?? preset
      if (pair === undefined) break
      const key = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset
      const empty = !isNode(pair.value) || pair.value.range?.[0] === pair.value.range?.[1]
      offset = (last && part === 'key') || empty ? key : ((pair.value as Node).range?.[0] ?? key)
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step]
      if (isNode(node)) offset = node.range?.[0] ?? offset
    } else break
  }
  return offset
}

function positionAt(lines: LineCounter, offset: number): SourcePosition {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}
