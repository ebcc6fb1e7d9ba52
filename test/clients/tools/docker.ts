import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { docker, DockerGateway, SANDBOX_IMAGE, tryDocker } from '#test/fixtures/docker.js'
import { collect } from '#test/fixtures/run.js'
import { createCa } from '../../servers/certificate-authority.js'
import { makeOwn } from '../agents/make-own.js'
import { makePackages } from './namespaces.js'
import { ALL_HOSTS, type Arrived, type RegistriesOrder } from './registries.js'
import { clientMounts, scriptIn, toolsPolicy, type ToolStage } from './stage.js'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const FILES = fileURLToPath(new URL('../../../../test/clients/tools/', import.meta.url))
const IMAGE = 'agent-egress-clients:local'

/** The tools of an image, behind a gateway of Compose. */
export async function onDocker(): Promise<ToolStage> {
  const token = `ghp_${randomBytes(18).toString('hex')}`
  const gateway = new DockerGateway(toolsPolicy(null))
  writeFileSync(join(gateway.directory, 'egress.env'), `API_TOKEN=${token}\nGITHUB_TOKEN=${token}\n`)
  const authority = await createCa('Registries')
  writeFileSync(join(gateway.directory, 'ca.pem'), authority.pem)
  makeOwn(gateway.work)
  const root = mkdtempSync(join(tmpdir(), 'egress-tools-'))
  chmodSync(root, 0o755)
  makePackages(join(root, 'packages'))
  const [first, ...others] = ALL_HOSTS
  const order: RegistriesOrder = {
    identity: await authority.issue([first, ...others]),
    directory: join(root, 'packages'),
    token,
    host: '0.0.0.0',
    ports: [443, 80],
  }
  writeFileSync(join(root, 'order.json'), JSON.stringify(order))
  const registries = `${gateway.project}-registries`
  const close = async () => {
    await tryDocker('rm', '-f', registries)
    await gateway.down()
    rmSync(root, { recursive: true, force: true })
  }
  try {
    await gateway.up()
    await docker('build', '-q', '-t', IMAGE, '-f', join(FILES, 'clients.Dockerfile'), FILES)
    const bind = (path: string) => ['--mount', `type=bind,source=${path},target=${path},readonly`]
    await docker(
      ...['run', '-d', '--rm', '--name', registries, '--network', `${gateway.project}_outside`],
      ...ALL_HOSTS.flatMap((host) => ['--network-alias', host]),
      ...['dist', 'node_modules', 'package.json'].flatMap((name) => bind(join(ROOT, name))),
      ...[...bind(root), '--user', '0', '--entrypoint', 'node', SANDBOX_IMAGE],
      ...[join(ROOT, 'dist/test/clients/tools/registries-main.js'), join(root, 'order.json')],
    )
    const lines = async () => (await docker('logs', registries)).split('\n')
    for (let tries = 0; !(await lines()).includes('ready'); tries += 1) {
      if (tries > 300) throw new Error('the registries do not start')
      await sleep(100)
    }
    const options = ['--image', IMAGE, '--write', ...clientMounts()]
    return {
      backend: 'docker',
      token,
      run: (script) => collect(gateway.start([...options, '--', 'sh', '-c', scriptIn(script)])),
      arrived: async () =>
        (await lines()).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Arrived),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
