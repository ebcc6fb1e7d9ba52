import { chooseBackend } from '#src/run/choose-backend.js'
import { noOptions } from '#src/run/options.js'
import { LocalHost } from '#src/sandbox/backends/docker/local-host.js'
import { parseLimits } from '#src/sandbox/limits.js'
import { runDemo } from './run-demo.js'

const USAGE = `./sandbox-run [--backend docker|namespaces] --demo [--json]

Runs an example agent behind the gateway, then attacks the gateway from inside the sandbox, and prints what got out.
  --json   one JSON object a line on standard output, everything else on standard error
Exits with 0 only if every check passes.`

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const

const args = process.argv.slice(2)
const named = args[0] === '--backend' ? args.splice(0, 2)[1] : 'namespaces'
if (args.some((arg) => arg !== '--json')) {
  const isHelp = args.includes('--help')
  console.error(
    isHelp ? USAGE : 'egress: The demonstration accepts only --json\n  See ./sandbox-run --demo --help',
  )
  process.exitCode = isHelp ? 0 : 2
} else {
  const interruption = new AbortController()
  for (const [signal, number] of Object.entries(SIGNAL_NUMBERS)) {
    process.once(signal, () => {
      process.exitCode = 128 + number
      interruption.abort(new Error(`ended by ${signal}`))
    })
  }
  try {
    const options = { ...noOptions(parseLimits([])), backend: named }
    const { name: backend } = await chooseBackend(options, process.env, new LocalHost())
    const passed = await runDemo({ backend, json: args.includes('--json'), signal: interruption.signal })
    process.exitCode ??= passed ? 0 : 1
  } catch (error) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode ??= 1
  }
}
