import { spawn, type ChildProcess } from 'node:child_process'
import { Parser, type Result } from 'tap-parser'
import type { TestFile } from './files.js'

/** An assertion that did not hold, or a test that did not end as it should. */
export interface Failure {
  /** The tests that it stands in, outermost first, and its own name last. */
  readonly path: readonly string[]
  /** What tap says of it: difference, position, stack. */
  readonly diagnostics: Readonly<Record<string, unknown>>
}

export interface Skip {
  readonly path: readonly string[]
  /** Empty where the test gives none. */
  readonly reason: string
}

export interface FileResult {
  readonly file: TestFile
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly skips: readonly Skip[]
  /** What it wrote that is no TAP. */
  readonly output: string
}

export interface RunOptions {
  /** How long a file may take. */
  readonly limitSeconds: number
  /** An absolute directory for V8's coverage of the file and of what it starts; null for none. */
  readonly coverageDir: string | null
}

/** How long tap has for its own report of a file that takes too long, before the process is killed. */
const REPORT_SECONDS = 15
/** Only so much of what a file writes beside TAP is kept: its end. */
const MAX_OUTPUT = 16_384

/** Runs `node FILE` to its end and reads the TAP that it prints. */
export async function runFile(file: TestFile, options: RunOptions): Promise<FileResult> {
  const { limitSeconds, coverageDir } = options
  const child = spawn(process.execPath, [file.path], {
    env: {
      ...process.env,
      TAP_TIMEOUT: String(limitSeconds),
      ...(coverageDir !== null && { NODE_V8_COVERAGE: coverageDir }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const tap = new TapReader()
  let output = ''
  const keep = (text: string) => (output = (output + text).slice(-MAX_OUTPUT))
  child.stdout.setEncoding('utf8').on('data', (text: string) => tap.write(text))
  child.stderr.setEncoding('utf8').on('data', keep)
  tap.onExtra(keep)
  const ending = await endOf(child, limitSeconds + REPORT_SECONDS)
  const { passed, failures, skips, diagnostics } = await tap.end()
  if (failures.length === 0) {
    // Whatever keeps a file from saying that all went well is a failure of it.
    const reasons = [...diagnostics]
    if (ending !== 'exit code 0') reasons.push(ending)
    else if (passed + skips.length === 0) reasons.push('it asserts nothing')
    if (reasons.length > 0) failures.push({ path: [reasons.join(', ')], diagnostics: {} })
  }
  return { file, passed, failures, skips, output }
}

/** Waits for the process and its output. Kills it when it takes too long. */
function endOf(child: ChildProcess, limitSeconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let ending = ''
    const limit = setTimeout(() => {
      ending = `killed: it took more than ${limitSeconds} s`
      child.kill('SIGKILL')
    }, limitSeconds * 1000)
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearTimeout(limit)
      if (ending === '') ending = signal === null ? `exit code ${String(code)}` : `killed by ${signal}`
      // A process that a test left behind may hold the pipe open for ever.
      const drained = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, 5_000)
      child.once('close', () => {
        clearTimeout(drained)
        resolve(ending)
      })
    })
  })
}

interface Reading {
  readonly passed: number
  readonly failures: Failure[]
  readonly skips: readonly Skip[]
  /** What is wrong with the TAP as a whole: a plan that was not kept, a bail-out. */
  readonly diagnostics: readonly string[]
}

/** Collects the assertions of nested tests. A test that only repeats what its assertions say is not counted again. */
class TapReader {
  readonly #root = new Parser()
  readonly #complete: Promise<void>
  #passed = 0
  readonly #failures: Failure[] = []
  readonly #skips: Skip[] = []
  readonly #diagnostics: string[] = []

  constructor() {
    this.#complete = new Promise((resolve) => this.#root.once('complete', () => resolve()))
    this.#read(this.#root, [])
  }

  write(text: string): void {
    this.#root.write(text)
  }

  onExtra(listener: (text: string) => void): void {
    this.#root.on('extra', listener)
  }

  async end(): Promise<Reading> {
    this.#root.end()
    await this.#complete
    return {
      passed: this.#passed,
      failures: this.#failures,
      skips: this.#skips,
      diagnostics: this.#diagnostics,
    }
  }

  #read(parser: Parser, path: readonly string[]): void {
    let before = 0
    let child: Parser | undefined
    parser.on('child', (next: Parser) => {
      child = next
      before = this.#failures.length
      this.#read(next, [...path, next.name])
    })
    parser.on('assert', (result: Result) => {
      const named = [...path, result.name]
      if (result.skip !== false)
        this.#skips.push({ path: named, reason: result.skip === true ? '' : result.skip })
      else if (result.ok || result.todo !== false)
        this.#passed += result.closingTestPoint && child?.count !== 0 ? 0 : 1
      else if (!result.closingTestPoint || this.#failures.length === before)
        this.#failures.push({ path: named, diagnostics: (result.diag ?? {}) as Record<string, unknown> })
    })
    parser.on('bailout', (reason: string) => this.#diagnostics.push(`bail out: ${reason}`))
    parser.on('complete', ({ failures }: { failures: readonly { tapError?: unknown }[] }) => {
      for (const { tapError } of failures)
        if (typeof tapError === 'string') this.#diagnostics.push([...path, tapError].join(' > '))
    })
  }
}
