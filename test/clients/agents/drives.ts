/** How a person uses one agent: in a terminal, and in a script. */
export interface AgentDrive {
  /** As `egress run` spells it. */
  readonly name: string
  /** Why it is not driven on Docker; null if it is. */
  readonly notOnDocker: string | null
  /** Arguments in a terminal. */
  readonly terminal: readonly string[]
  /** The screen on which it waits for a request. */
  readonly ready: RegExp
  /** A question before it changes a file, which is answered with Enter. */
  readonly confirm: RegExp | null
  /** Keys, one after the other, that end it. */
  readonly quit: readonly string[]
  /** Arguments for one request without a terminal. */
  readonly script: (request: string) => readonly string[]
}

export const DRIVES: readonly AgentDrive[] = [
  {
    name: 'claude',
    notOnDocker: null,
    terminal: [],
    ready: /^❯\s*$/m,
    confirm: /Do you want to (make this edit|proceed)/,
    quit: ['C-c', 'C-c'],
    script: (request) => ['-p', request, '--permission-mode', 'acceptEdits'],
  },
  {
    name: 'codex',
    notOnDocker: null,
    terminal: [],
    ready: /^› (?!.*morning)/m,
    confirm: null,
    quit: ['C-c', 'C-c'],
    script: (request) => ['exec', '--skip-git-repo-check', request],
  },
  {
    name: 'gemini',
    notOnDocker: null,
    terminal: [],
    ready: /Type your message/,
    confirm: /Apply this change\?/,
    quit: ['C-c', 'C-c'],
    script: (request) => ['--approval-mode', 'auto_edit', '-p', request],
  },
  {
    name: 'aider',
    notOnDocker: 'the tests do not build its image',
    terminal: ['greeting.txt'],
    ready: /^> *$/m,
    confirm: null,
    quit: ['C-c', 'C-c'],
    script: (request) => ['--message', request, 'greeting.txt'],
  },
]
