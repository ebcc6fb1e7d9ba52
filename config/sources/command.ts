import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import { quote } from '../redact-message.js'
import { withoutLastBreak } from '../secrets.js'
import { MAX_VALUE_BYTES, type SecretSource } from './source.js'

/** Variables that programs need to find themselves and their settings. Everything else is passed on by name only. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LANG']

export interface CommandOptions {
  readonly name: string
  /** Program and arguments; no shell reads them. */
  readonly argv: readonly string[]
  /** Names of further variables that it gets. */
  readonly env: readonly string[]
  readonly refreshMs: number | null
  readonly timeoutMs: number
  /** The environment of the gateway. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Directory of the policy: a program with a slash in its name is relative to it. */
  readonly directory: string
}

/** The value is what a program prints, such as `op read op://…`. */
export function commandSource(options: CommandOptions): SecretSource {
  const { name, argv, refreshMs, timeoutMs, environment } = options
  const [word = '', ...args] = argv
  const passed = [...PASSED_ON, ...options.env]
  const env = Object.fromEntries(passed.map((key) => [key, environment[key]]))
  // Found once: what is put in front of it in PATH later is not run.
  let program: string | null = null
  return {
    name,
    kind: 'command',
    needs: [],
    refreshMs,
    async read({ signal }) {
      program ??= findProgram(word, options)
      if (program === null) {
        const fix =
          'install it, or write its absolute name; a name with a slash is relative to the policy file'
        return { problem: `there is no program ${quote(word)}`, fix }
      }
      return runForValue({ program, args, env, timeoutMs, signal })
    },
    hides: () => [],
    trusts: () => [...(program === null ? [] : [program]), ...args.filter(isProgramFile)],
  }
}

function findProgram(word: string, { environment, directory }: CommandOptions): string | null {
  const candidates = word.includes('/')
    ? [resolve(directory, word)]
    : (environment['PATH'] ?? '')
        .split(delimiter)
        .filter(isAbsolute)
        .map((path) => join(path, word))
  return candidates.find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** An argument that names a file, such as the script that an interpreter is to run. */
function isProgramFile(argument: string): boolean {
  return isAbsolute(argument) && statSync(argument, { throwIfNoEntry: false })?.isFile() === true
}

interface Run {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Runs a program in a process group of its own and returns what it printed. The group is killed at the end, at the
 * timeout, and when too much was printed, so that nothing it started stays behind. Standard error is thrown away: a
 * program that fails may well print there what it was to keep secret.
 */
function runForValue({ program, args, env, timeoutMs, signal }: Run): Promise<string | Diagnostic> {
  const byHand =
    'run it by hand to see why; it gets no terminal, and of the environment only PATH, HOME, USER, LANG and what `env` names'
  return new Promise((settle) => {
    const child = spawn(program, args, {
      // Threat: `python3 -m …` and others run what lies in the current directory, and a sandbox may write there.
      cwd: '/',
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const decoder = new StringDecoder('utf8')
    let printed = ''
    let bytes = 0
    const killGroup = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // All of it has ended.
      }
    }
    const end = (value: string | Diagnostic): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      killGroup()
      child.stdout.destroy()
      settle(value)
    }
    const timer = setTimeout(() => {
      end({
        problem: `the command did not end in ${timeoutMs / 1000} s, and was killed`,
        fix: `raise \`timeout\` if it needs longer; ${byHand}`,
      })
    }, timeoutMs)
    const abort = (): void => end({ problem: 'the command was stopped', fix: 'start the gateway again' })
    signal.addEventListener('abort', abort, { once: true })
    child.stdout.on('error', () => undefined)
    child.on('error', () => end({ problem: 'the command cannot be started', fix: byHand }))
    // What it left running would otherwise hold its output open.
    child.once('exit', killGroup)
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_VALUE_BYTES) {
        end({
          problem: `the command printed more than ${MAX_VALUE_BYTES} bytes`,
          fix: 'let it print the value alone',
        })
      } else printed += decoder.write(chunk)
    })
    child.once('close', (code, killer) => {
      const how = killer === null ? `with exit code ${String(code)}` : `by ${killer}`
      if (code !== 0) end({ problem: `the command ended ${how}`, fix: byHand })
      else if (printed === '') end({ problem: 'the command printed nothing', fix: byHand })
      else end(withoutLastBreak(printed))
    })
  })
}
