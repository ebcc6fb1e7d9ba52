/** What one probe found in the sandbox. */
export interface Finding {
  readonly title: string
  readonly held: boolean
  /** What was seen, in a few words. */
  readonly found: string
  /** What lies open, and what to do about it; shown where the line fails. */
  readonly exposes: string
  readonly fix: string
}

/** Lines for people: one for each finding, and for a failed one what it means. */
export function renderFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ title }) => title.length))
  const lines = findings.flatMap(({ title, held, found, exposes, fix }) => [
    `${held ? 'ok    ' : 'FAILED'}  ${title.padEnd(width)}  ${found}`,
    ...(held ? [] : [`        exposed: ${exposes}`, `        fix: ${fix}`]),
  ])
  const good = findings.filter(({ held }) => held).length
  return [...lines, `${String(good)} of ${String(findings.length)} checks passed`, ''].join('\n')
}

/** What is known of the host, told by whoever starts the sandbox. */
export interface DoctorFacts {
  /** Version of the Docker engine; null with namespaces. */
  readonly engine: string | null
  /** Addresses of the host, bridges included. */
  readonly hosts: readonly string[]
  /** Addresses of the gateway in networks that are not the sandbox's; port 80 is open there. */
  readonly others: readonly string[]
  /** Why files that appear during a run cannot be hidden; null if they can. */
  readonly lateFiles: string | null
}

/** Words of a command line: `--engine 26.1.5 --host 10.0.0.1 --other 10.0.0.2 --json`. */
export function readFacts(words: readonly string[]): DoctorFacts & { readonly json: boolean } {
  const after = (flag: string) =>
    words.flatMap((word, index) => (word === flag && words[index + 1] ? [words[index + 1] ?? ''] : []))
  return {
    engine: after('--engine')[0] ?? null,
    hosts: [...new Set(after('--host'))],
    others: [...new Set(after('--other'))],
    lateFiles: after('--late-files')[0] ?? null,
    json: words.includes('--json'),
  }
}
