import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { quoteCommand } from '#src/sandbox/shell-quote.js'

/** Milliseconds between two looks at the screen. */
const LOOK_MS = 200

/** A terminal of tmux with one program, that a person could sit at. */
export class Terminal {
  readonly #socket = `egress-${randomBytes(6).toString('hex')}`

  constructor(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
    const set = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const words = ['env', '-i', ...set, 'TERM=tmux-256color', ...command]
    // What was printed last stays on the screen.
    const script = `${quoteCommand(words)}; echo "ended with $?"; exec sleep 600`
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', '132', '-y', '50', '-c', cwd, 'sh', '-c', script)
  }

  get screen(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-200')
  }

  /** Types text, or presses a key of tmux's names. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', text)
  }

  press(...keys: readonly string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  /** Waits for a screen; throws with what is on it if it does not come. */
  async until(what: string, isThere: (screen: string) => boolean, milliseconds = 90_000): Promise<string> {
    const end = Date.now() + milliseconds
    for (;;) {
      const { screen } = this
      if (isThere(screen)) return screen
      if (Date.now() > end) throw new Error(`${what} did not come:\n${screen.trim()}`)
      await sleep(LOOK_MS)
    }
  }

  close(): void {
    try {
      this.#tmux('kill-server')
    } catch {
      // It has ended.
    }
  }

  #tmux(...words: readonly string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...words], { encoding: 'utf8' })
  }
}
