import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './statistics.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** The packages that the program imports at start-up, and the program itself. */
const IMPORTS = ['@peculiar/x509', 'zod', 'yaml', 'tldts', 'pino', 'nconf', 'commander', 'http-proxy']

export interface StartUp {
  /** Milliseconds from the start of the program to the agent's first instruction, and to the program's exit. */
  readonly toAgent: number
  readonly toExit: number
}

/** `sandbox-run -- date`: the agent prints the time at which it started. Null if no sandbox can be built. */
export async function measureStartUp(runs: number): Promise<StartUp | null> {
  const directory = mkdtempSync(join(tmpdir(), 'egress-start-'))
  // If root starts it, the sandbox has another user.
  chmodSync(directory, 0o755)
  try {
    const results: StartUp[] = []
    for (let i = 0; i < runs; i += 1) {
      const begin = Date.now()
      const { code, output } = await run(join(ROOT, 'sandbox-run'), ['--', 'date', '+%s%N'], directory)
      if (code !== 0) return null
      results.push({ toAgent: Number(output.trim()) / 1e6 - begin, toExit: Date.now() - begin })
    }
    return {
      toAgent: median(results.map(({ toAgent }) => toAgent)),
      toExit: median(results.map(({ toExit }) => toExit)),
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Median milliseconds of processor time to import each package alone in a fresh Node, and of Node doing nothing. */
export async function measureImports(runs: number): Promise<[name: string, milliseconds: number][]> {
  const results: [string, number][] = []
  for (const name of [null, ...IMPORTS]) {
    const load =
      name === null
        ? ''
        : `await import('reflect-metadata'); before = process.cpuUsage(); await import('${name}')`
    const script = `let before = { user: 0, system: 0 }; ${load}
      const { user, system } = process.cpuUsage(before); console.log((user + system) / 1000)`
    const times: number[] = []
    for (let i = 0; i < runs; i += 1) {
      times.push(Number((await run(process.execPath, ['--input-type=module', '-e', script], ROOT)).output))
    }
    results.push([name ?? 'node itself', median(times)])
  }
  return results
}

function run(
  program: string,
  words: string[],
  cwd: string,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], HOME: cwd, EGRESS_BACKEND: 'namespaces' }
    const child = spawn(program, words, { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}
