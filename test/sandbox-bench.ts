/*
 * What the sandbox tests share: work directories, the driver as a child process, and a look at what is left on the host.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installationOf } from '#src/sandbox/backends/namespaces/resolve-command.js'
import { quoteCommand } from '#src/sandbox/shell-quote.js'
import type { SandboxFiles, SandboxSpec } from '#src/sandbox/spec.js'

export interface BenchSpec extends SandboxSpec {
  files: SandboxFiles
}

/** Who launches: whoever runs the tests and, where that is root, an ordinary user too. */
export interface Runner {
  name: string
  uid: number
}

export const ordinaryUid = 4242

export function runners(): Runner[] {
  const uid = process.getuid?.() ?? 0
  if (uid !== 0) return [{ name: 'user', uid }]
  return [
    { name: 'root', uid: 0 },
    { name: 'user', uid: ordinaryUid },
  ]
}

export interface ForwardResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  events: Record<string, unknown>[]
}

export interface Running {
  child: ChildProcess
  /** resolves once `text` was printed by the agent or told by the driver */
  saw: (text: string) => Promise<void>
  outcome: Promise<ForwardResult>
}

export interface RunOptions {
  keepDescriptors?: boolean
  hold?: boolean
  env?: Record<string, string>
  /** further descriptors, from 40 on: Node itself closes those of the first few that it was started with */
  descriptors?: number[]
  /** runs before the driver, as root in a mount namespace of its own */
  prepare?: string
  /** run the driver on a pseudo-terminal */
  terminal?: boolean
}

/** A directory tree of one test file, readable by every runner; the driver is copied there, wherever the checkout lies. */
export class Bench {
  readonly root = mkdtempSync(join(tmpdir(), 'egress-sandbox-'))
  private readonly driver = join(this.root, 'code/test/sandbox-driver.js')

  constructor() {
    chmodSync(this.root, 0o755)
    const compiled = dirname(dirname(fileURLToPath(import.meta.url)))
    cpSync(join(compiled, 'src/sandbox'), join(this.root, 'code/src/sandbox'), { recursive: true })
    cpSync(join(compiled, 'src/trust'), join(this.root, 'code/src/trust'), { recursive: true })
    for (const name of [
      'environment-changes',
      'own-names',
      'make-placeholder',
      'errors',
      'file-way',
      'install',
      'process-name',
      'sandbox-writes',
    ])
      cpSync(join(compiled, `src/common/${name}.js`), join(this.root, `code/src/common/${name}.js`))
    cpSync(join(compiled, 'test/sandbox-driver.js'), this.driver)
    for (const name of ['services/placeholder-format', 'services/jwt-format', 'issues/token-formats'])
      cpSync(join(compiled, `config/${name}.js`), join(this.root, `code/config/${name}.js`))
    const imports = { '#config/*': './config/*' }
    writeFileSync(join(this.root, 'code/package.json'), JSON.stringify({ type: 'module', imports }))
  }

  /** A work directory with these files, owned by the runner. */
  workdir(runner: Runner, files: Readonly<Record<string, string>> = {}, owner = runner.uid): string {
    const directory = mkdtempSync(join(this.root, 'work-'))
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true })
      writeFileSync(join(directory, name), content)
    }
    chmodSync(directory, 0o755)
    if (process.getuid?.() === 0) {
      for (const name of ['', ...readdirSync(directory, { recursive: true, encoding: 'utf8' })]) {
        chownSync(join(directory, name), owner, owner)
      }
    }
    return directory
  }

  start(runner: Runner, spec: Partial<BenchSpec>, options: RunOptions = {}): Running {
    const full = { ...defaults(), workdir: spec.workdir ?? this.workdir(runner), ...spec }
    const { keepDescriptors, hold } = options
    const words = [process.execPath, this.driver, JSON.stringify({ spec: full, keepDescriptors, hold })]
    // What follows the processes of a test lies where an ordinary user may not read it.
    words.unshift('env', '-u', 'NODE_OPTIONS')
    const [program = '', ...rest] = wrap(words, options)
    const child = spawn(program, rest, {
      uid: runner.uid,
      gid: runner.uid,
      cwd: '/',
      env: { PATH: process.env.PATH, HOME: '/nonexistent', SHELL: '/bin/sh', TERM: 'xterm', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe', ...Array<'ignore'>(37).fill('ignore'), ...(options.descriptors ?? [])],
    })
    return watch(child)
  }

  async run(runner: Runner, spec: Partial<BenchSpec>, options: RunOptions = {}): Promise<ForwardResult> {
    const running = this.start(runner, spec, options)
    running.child.stdin?.end()
    return running.outcome
  }

  /** Runs `script` in a sandbox by a shell. */
  async sh(
    runner: Runner,
    script: string,
    spec: Partial<BenchSpec> = {},
    options: RunOptions = {},
  ): Promise<ForwardResult> {
    return this.run(runner, { command: ['sh', '-c', script], ...spec }, options)
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

function wrap(words: string[], { terminal, prepare }: RunOptions): string[] {
  const quoted = quoteCommand(words)
  if (terminal) return ['script', '-qec', quoted, '/dev/null']
  return prepare === undefined ? words : ['unshare', '--mount', 'sh', '-ec', `${prepare}\nexec ${quoted}`]
}

function defaults(): BenchSpec {
  return {
    command: ['true'],
    workdir: '/',
    writable: false,
    mounts: process.execPath.startsWith('/usr/')
      ? []
      : [{ path: installationOf(process.execPath), writable: false }],
    masked: [],
    policies: [],
    env: { PRODUCT: 'placeholder' },
    files: {},
    limits: {
      processes: 256,
      memoryBytes: 4 * 2 ** 30,
      tmpBytes: 64 * 2 ** 20,
      openFiles: 1024,
      processors: null,
    },
    listen: [
      { name: 'web', kind: 'tcp', port: 80 },
      { name: 'dns', kind: 'udp', port: 53 },
    ],
    hosts: { egress: '127.0.0.1' },
    terminal: false,
  }
}

function watch(child: ChildProcess): Running {
  let stdout = ''
  let stderr = ''
  const seen = new Set<() => void>()
  const note = () => {
    for (const check of seen) check()
  }
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    note()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    note()
  })
  const outcome = new Promise<ForwardResult>((resolve) => {
    child.once('close', (code, signal) => {
      const events = [...(stdout + stderr).matchAll(/@@(\{.*\})/g)].map(
        ([, json = '']) => JSON.parse(json) as Record<string, unknown>,
      )
      resolve({ code, signal, stdout, stderr, events })
    })
  })
  const saw = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if ((stdout + stderr).includes(text)) finish(resolve)
      }
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no '${text}' in: ${stdout}${stderr}`))),
        60_000,
      )
      const finish = (then: () => void) => {
        clearTimeout(timer)
        seen.delete(check)
        then()
      }
      seen.add(check)
      check()
    })
  return { child, saw, outcome }
}

/** The process and all its descendants, as the host sees them. */
export function descendants(pid: number): number[] {
  let children = ''
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  } catch {
    return []
  }
  return [pid, ...children.split(' ').filter(Boolean).map(Number).flatMap(descendants)]
}

export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Every process of the host whose arguments or mounts contain `text`, this one and the given one left out. */
export function traces(text: string, except = 0): string[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  return pids.flatMap((pid) => {
    if (pid === process.pid || pid === except) return []
    if (commandLine(pid).includes(text)) return [`${pid} runs ${commandLine(pid)}`]
    try {
      return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(text) ? [`${pid} mounts ${text}`] : []
    } catch {
      return []
    }
  })
}

/** Kills one process. Not `process.kill(pid ?? 0)`: 0 is the whole process group, the test runner included. */
export function killOne(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined || pid <= 0) throw new Error('there is no such process to kill')
  process.kill(pid, signal)
}
