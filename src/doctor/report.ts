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
  return [...lines, `${String(good)} of ${String(findings.length)} hold`, ''].join('\n')
}

/** What is known of the host, told by whoever starts the sandbox. */
export interface DoctorFacts {
  /** Version of the Docker engine; null with namespaces. */
  readonly engine: string | null
  /** Addresses of the host, bridges included. */
  readonly hosts: readonly string[]
  /** Addresses of the gateway in networks that are not the sandbox's; port 80 is open there. */
  readonly others: readonly string[]
}

/** Words of a command line: `--engine 26.1.5 --host 10.0.0.1 --other 10.0.0.2 --json`. */
export function readFacts(words: readonly string[]): DoctorFacts & { readonly json: boolean } {
  const after = (flag: string) =>
    words.flatMap((word, index) => (word === flag && words[index + 1] ? [words[index + 1] ?? ''] : []))
  return {
    engine: after('--engine')[0] ?? null,
    hosts: [...new Set(after('--host'))],
    others: [...new Set(after('--other'))],
    json: words.includes('--json'),
  }
}

/** Engines with a hole that a sandbox could use: what it is, or null. */
export function engineAdvisory(version: string): string | null {
  const [major = 0, minor = 0, patch = 0] = version.split(/[^0-9]/).map(Number)
  const number = (major * 1000 + minor) * 1000 + patch
  if (number < 23_000_011 || (number >= 24_000_000 && number < 25_000_005)) return 'CVE-2024-29018'
  return number < 26_001_003 ? 'names in internal networks (moby 47589)' : null
}
