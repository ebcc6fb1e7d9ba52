import { renameSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { demoPolicy } from '../demo/policy.js'
import { makeSecrets } from '../demo/secrets.js'
import { startMockServices } from './start.js'

// The mock servers as a container in the profile `demo` of docker-compose.yml. They write the gateway's policy and secrets,
// new at every start, into the given directory.

const directory = process.argv[2] ?? '/demo'
const secrets = makeSecrets()
const { ca, jira, llm, echo, attacker } = await startMockServices({
  secrets,
  unixName: 'egress-demo',
  addresses: {},
  host: '0.0.0.0',
})
const address = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address
const ports = {
  jira: jira.port,
  llm: llm.port,
  echo: echo.port,
  attacker: attacker.port,
  attackerDns: attacker.dnsPort,
}
const files = {
  'ca.pem': ca,
  '.env': Object.entries(secrets)
    .map(([name, value]: [string, string]) => `${name}=${value}\n`)
    .join(''),
  // Last, because the gateway waits for the policy and then needs the other files.
  'egress.yaml': demoPolicy(ports, address),
}
for (const [name, text] of Object.entries(files)) {
  writeFileSync(join(directory, `${name}.new`), text, { mode: 0o600 })
  renameSync(join(directory, `${name}.new`), join(directory, name))
}
console.log(`ready at ${address ?? 'no address'}`)
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0))
