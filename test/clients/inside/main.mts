import { spawnSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'

// Runs the clients one after the other inside the sandbox, and prints the output of each as one line of JSON.
interface Call {
  readonly id: string
  readonly command: readonly string[]
}

// Node looks for packages above a script; the directory is mounted at the same path as on the host.
symlinkSync(process.argv[3] ?? '', 'node_modules')
const calls = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Call[]
for (const { id, command } of calls) {
  const [program = '', ...words] = command
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 300_000 })
  console.log(JSON.stringify({ id, code: status, stdout, stderr: stderr.slice(-2000) }))
}
