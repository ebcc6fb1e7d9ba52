import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import type { Document, Node, YAMLError } from 'yaml'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import { IssueList, type Path, type SourcePosition } from './issue.js'
import { quote } from './redact-message.js'
import { yamlError } from './yaml-errors.js'

/** A YAML file with the place of every value in it. */
export interface YamlSource {
  /** Plain data; undefined when the file holds none. */
  readonly value: unknown
  readonly issues: IssueList
  /** Every text in the file with its path, keys included. */
  readonly scalars: readonly { readonly path: Path; readonly text: string; readonly part: 'key' | 'value' }[]
}

/**
 * Reads YAML 1.2 in the small part of it that a policy needs: one document, no anchors, no aliases, no tags. So what a
 * rule says stands where it applies, and no alias can blow up. Faults go into `issues`; `value` is null if the file
 * cannot be read as YAML at all.
 */
export function readYaml(
  file: string,
  text: string,
): YamlSource | { readonly value: null; readonly issues: IssueList } {
  const lines = new LineCounter()
  // prettyErrors would copy the faulty line, which may hold a secret, into the message.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines, stringKeys: true })
  const issues = new IssueList(file, (path, part) => positionAt(lines, offsetOf(document, path, part)))
  const fatal = addSyntaxIssues(document, text, lines, issues)
  const scalars = walk(document, text, lines, issues)
  if (fatal || scalars === null) return { value: null, issues }
  const value: unknown = document.contents === null ? undefined : document.toJS()
  return { value: value ?? undefined, issues, scalars }
}

function addSyntaxIssues(document: Document, text: string, lines: LineCounter, issues: IssueList): boolean {
  const diagnostics = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  const report = (error: YAMLError): void => {
    issues.addAt(positionAt(lines, error.pos[0]), describeError(error, text))
  }
  diagnostics.filter(({ code }) => code === 'DUPLICATE_KEY').forEach(report)
  // After the first slip the parser has lost its place, and its further errors only follow from that.
  const [first] = diagnostics.filter(({ code }) => code !== 'DUPLICATE_KEY')
  if (first !== undefined) report(first)
  let fatal = first !== undefined
  const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text)
  if (control !== null) {
    issues.addAt(positionAt(lines, control.index), {
      problem: 'the file holds a control byte',
      fix: 'remove it; a policy is plain text',
    })
    fatal = true
  }
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    issues.addAt(
      { line: 1, column: 1 },
      { problem: 'the file asks for an old YAML', fix: 'remove the `%YAML` line' },
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
    return { problem: `the key ${quote(key)} stands twice in one mapping`, fix: 'keep one of the two' }
  }
  return yamlError(error.code, line)
}

/** Null when the document holds something that no policy may. */
function walk(
  document: Document,
  text: string,
  lines: LineCounter,
  issues: IssueList,
): YamlSource['scalars'] | null {
  const scalars: { path: Path; text: string; part: 'key' | 'value' }[] = []
  let refused = 0
  const refuse = (offset: number, diagnostic: Diagnostic): void => {
    refused += 1
    issues.addAt(positionAt(lines, offset), diagnostic)
  }
  visit(document, {
    Node(key, node, ancestors) {
      const start = node.range?.[0] ?? 0
      if (isAlias(node)) {
        refuse(start, yamlError('ALIAS', ''))
      } else if (node.anchor !== undefined) {
        refuse(text.lastIndexOf('&', start), {
          problem: 'a value that begins with `&` is an anchor in YAML, and anchors are not used in policies',
          fix: 'put the value in quotes, or write it out where it is needed',
        })
      } else if (isScalar(node) && typeof node.value === 'string') {
        const path = pathOf(ancestors, node)
        if (key === 'key' && node.value === '__proto__') {
          refuse(start, { problem: 'the key `__proto__` is never allowed', fix: 'choose another name' })
        }
        scalars.push({ path, text: node.value, part: key === 'key' ? 'key' : 'value' })
      }
    },
  })
  return refused === 0 ? scalars : null
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

/** Offset of the value at a path; of the deepest part of the path that exists, where the rest does not. */
function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1
    if (isMap(node)) {
      const { items } = node
      const pairOf = (name: unknown) => items.find(({ key }) => isScalar(key) && key.value === name)
      // What stands nowhere in the file came with the preset that it names.
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
