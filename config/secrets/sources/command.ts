import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { quote } from '../../issues/quote.js'
import { withoutLastBreak } from '../../files/text-file.js'
import { MAX_VALUE_BYTES, type SecretSource } from './source.js'

/** Variables that programs need to find themselves and their settings. All others are passed only if `env` names them. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LANG']

export interface CommandOptions {
  readonly name: string
  /** Program and arguments; no shell interprets them. */
  readonly argv: readonly string[]
  /** Names of additional variables to pass. */
  readonly env: readonly string[]
  readonly refreshMs: number | null
  readonly timeoutMs: number
  /** The environment of the gateway. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Directory of the policy; a program name with a slash is relative to it. */
  readonly directory: string
}

/** The value is the output of a program, such as `op read op://…`. */
export function commandSource(options: CommandOptions): SecretSource {
  const { name, argv, refreshMs, timeoutMs, environment } = options
  const [programName = '', ...args] = argv
  const passed = [...PASSED_ON, ...options.env]
  const env = Object.fromEntries(passed.map((key) => [key, environment[key]]))
  // Looked up once. Threat: a program that is added to an earlier directory of PATH later must not be run.
  let program: string | null = null
  return {
    name,
    kind: 'command',
    needs: [],
    refreshMs,
    async read({ signal }) {
      program ??= findProgram(programName, options)
      if (program === null) {
        const fix =
          'Install it, or write its absolute path; a path with a slash is relative to the policy file'
        return { problem: `Program ${quote(programName)} not found`, fix }
      }
      return runForValue({ program, args, env, timeoutMs, signal })
    },
    secretFiles: () => [],
    trustedFiles() {
      program ??= findProgram(programName, options)
      return [...(program === null ? [] : [program]), ...args.filter(isProgramFile)]
    },
  }
}

function findProgram(program: string, { environment, directory }: CommandOptions): string | null {
  const candidates = program.includes('/')
    ? [resolve(directory, program)]
    : (environment['PATH'] ?? '')
        .split(delimiter)
        .filter(isAbsolute)
        .map((path) => join(path, program))
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

/** An argument that names a file, such as the script for an interpreter. */
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
 * Runs a program in a new process group and returns its output. The group is killed at the end, at the timeout, and when the
 * output is too long, so that no child process is left behind. Standard error is discarded: a program that fails may print the
 * secret there.
 */
function runForValue({ program, args, env, timeoutMs, signal }: Run): Promise<string | Diagnostic> {
  const byHand =
    'Run it by hand to see why; it has no terminal, and only the variables PATH, HOME, USER, LANG and those in `env`'
  return new Promise((settle) => {
    const child = spawn(program, args, {
      // Threat: `python3 -m …` and others run code from the current directory, and a sandbox may write there.
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
        // The whole group has ended.
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
        problem: `The command did not end within ${timeoutMs / 1000} s and was killed`,
        fix: `Increase \`timeout\` if it needs longer. ${byHand}`,
      })
    }, timeoutMs)
    const abort = (): void => end({ problem: 'The command was stopped', fix: 'Restart the gateway' })
    signal.addEventListener('abort', abort, { once: true })
    child.stdout.on('error', () => undefined)
    child.on('error', () => end({ problem: 'Cannot start the command', fix: byHand }))
    // A child process that is still running would keep the output open.
    child.once('exit', killGroup)
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_VALUE_BYTES) {
        end({
          problem: `The command printed more than ${MAX_VALUE_BYTES} bytes`,
          fix: 'Make it print only the value',
        })
      } else printed += decoder.write(chunk)
    })
    child.once('close', (code, killer) => {
      const how = killer === null ? `with exit code ${String(code)}` : `by ${killer}`
      if (code !== 0) end({ problem: `The command ended ${how}`, fix: byHand })
      else if (printed === '') end({ problem: 'The command printed nothing', fix: byHand })
      else end(withoutLastBreak(printed))
    })
  })
}
