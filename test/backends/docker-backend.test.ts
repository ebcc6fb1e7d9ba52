import t from 'tap'
import { newSandboxId } from '#src/common/sandbox-id.js'
import { DockerBackend, writeShown } from '#src/sandbox/backends/docker/backend.js'
import { emptyFileIn } from '#src/sandbox/backends/docker/clean-up.js'
import { findGateway, openGateway } from '#src/sandbox/backends/docker/gateway.js'
import { LocalHost } from '#src/sandbox/backends/docker/local-host.js'
import { RunNetwork } from '#src/sandbox/backends/docker/network.js'
import { dockerOptions } from '#src/sandbox/backends/docker/options.js'
import { hideForDocker, planForDocker, viewForDocker } from '#src/sandbox/backends/docker/setting.js'
import { DockerGateway, skipWithoutDocker } from '../fixtures/docker.js'
import { testParity, type ProbeRequest } from './parity.js'

// The table of probes on a real engine.

t.setTimeout(600_000)

void t.test('docker', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway('agents: { default: { services: all } }\n')
  t.teardown(() => gateway.down())
  await gateway.up()
  await testParity(t, { name: 'docker', plan: (request) => planOf(request, gateway.env) })
  t.strictSame(await gateway.networksLeft(), [], 'nothing is left')
})

const ANNOUNCED = {
  command: 'probe',
  start: { user: '1000', image: null, directory: '/', commandLine: 'probe' },
  labels: [],
}

async function planOf(request: ProbeRequest, env: Readonly<Record<string, string>>) {
  const host = new LocalHost()
  const options = dockerOptions(env, { image: undefined, allowOldEngine: true })
  const gateway = await openGateway(host, await findGateway(host, options), options, () => undefined)
  const { directory, pid } = host.facts
  const emptyFile = emptyFileIn(directory)
  writeShown(emptyFile, '')
  const owner = (await host.owner(pid)) ?? ''
  const network = new RunNetwork(newSandboxId(), { host, gateway, options, owner, emptyFile })
  const backend = new DockerBackend({ host, options, network, term: 'xterm', warn: () => undefined })
  const { trees, user } = viewForDocker(request, host)
  const connection = await network.connect('', ANNOUNCED)
  const view = hideForDocker(trees, null)
  const plan = planForDocker({ id: network.id, request, view, user, connection, env: request.variables })
  const { resolver, gateway: address } = plan.addresses
  const environment = { ...plan.environment, GATEWAY: address, RESOLVER: resolver }
  return { backend, plan: { ...plan, environment } }
}
