import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { docker, DockerGateway, GATEWAY_IMAGE, tryDocker } from '../../fixtures/docker.js'
import { createCa } from '../../servers/certificate-authority.js'
import { MODEL_HOSTS, type Asked, type ModelOrder } from '../../servers/agents/start.js'
import type { Stage } from './drive-agent.js'
import { Project } from './world.js'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

/** Agents in the images that egress builds for them, behind a gateway of Compose. */
export async function onDocker(): Promise<Stage & { close(): Promise<void> }> {
  const project = new Project()
  const secrets = Object.entries(project.secrets).map(([name, value]) => `${name}=${value}\n`)
  const gateway = new DockerGateway(project.policy(null), {}, '')
  writeFileSync(join(gateway.directory, 'egress.env'), secrets.join(''))
  const authority = await createCa('Model APIs')
  writeFileSync(join(gateway.directory, 'ca.pem'), authority.pem)
  const identity = await authority.issue([...MODEL_HOSTS])
  const order: ModelOrder = { identity, task: project.task, key: project.key, host: '0.0.0.0', port: 443 }
  writeFileSync(join(project.root, 'order.json'), JSON.stringify(order))
  const apis = `${gateway.project}-apis`
  const close = async () => {
    await tryDocker('rm', '-f', apis)
    await gateway.down()
    project.remove()
  }
  try {
    await gateway.up()
    const bind = (path: string) => ['--mount', `type=bind,source=${path},target=${path},readonly`]
    await docker(
      ...['run', '-d', '--rm', '--name', apis, '--network', `${gateway.project}_outside`],
      ...MODEL_HOSTS.flatMap((host) => ['--network-alias', host]),
      ...[
        ...bind(join(ROOT, 'dist')),
        ...bind(join(ROOT, 'node_modules')),
        ...bind(join(ROOT, 'package.json')),
      ],
      ...[...bind(project.root), '--user', '0', '--entrypoint', 'node', GATEWAY_IMAGE],
      ...[join(ROOT, 'dist/test/servers/agents/main.js'), join(project.root, 'order.json')],
    )
    const lines = async () => (await docker('logs', apis)).split('\n')
    for (let tries = 0; !(await lines()).includes('ready'); tries += 1) {
      if (tries > 100) throw new Error('the mock APIs do not start')
      await sleep(100)
    }
    const { env } = gateway
    return {
      backend: 'docker',
      project,
      command: [process.execPath, join(ROOT, 'dist/src/main.js'), 'run', '--backend', 'docker'],
      env: { ...env, HOME: project.home, LANG: 'C.UTF-8' },
      asked: async () =>
        (await lines()).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Asked),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
