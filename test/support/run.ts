import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CertificateAuthority } from '#proxy/tls/authority.js'

export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** A directory with a policy, and the real command run in it. */
export interface Workspace {
  readonly directory: string
  readonly auditDir: string
  readonly env: Record<string, string>
  /** Starts `egress` with these words. */
  spawn(words: readonly string[]): ChildProcess
  /** Runs it to its end. */
  run(words: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }>
  remove(): void
}

export function makeWorkspace(
  policy: string,
  env: Record<string, string>,
  files: Record<string, string> = {},
): Workspace {
  const directory = mkdtempSync(join(tmpdir(), 'egress-test-'))
  // The sandbox's user is not the one that made it.
  chmodSync(directory, 0o755)
  writeFileSync(join(directory, 'egress.yaml'), policy)
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(directory, name), text, { mode: 0o644 })
  const auditDir = join(directory, 'audit')
  const environment = { PATH: process.env['PATH'] ?? '', HOME: directory, EGRESS_AUDIT_DIR: auditDir, ...env }
  const start = (words: readonly string[]) =>
    spawn(process.execPath, [MAIN, ...words], {
      cwd: directory,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  return {
    directory,
    auditDir,
    env: environment,
    spawn: start,
    run(words) {
      return collect(start(words))
    },
    remove() {
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export function collect(
  child: ChildProcess,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}

export function upstreamAuthority(): Promise<CertificateAuthority> {
  return CertificateAuthority.create(Date.now())
}
