import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { collect, MAIN } from '#test/fixtures/run.js'
import { createCa } from '../../servers/certificate-authority.js'
import { makeOwn } from '../agents/make-own.js'
import { ALL_HOSTS, serveRegistries, type Arrived } from './registries.js'
import { clientMounts, scriptIn, toolsPolicy, writePolicy, type ToolStage } from './stage.js'

const MAKE_PACKAGES = fileURLToPath(
  new URL('../../../../test/clients/tools/make_packages.py', import.meta.url),
)

/** Writes the packages of every registry. */
export function makePackages(directory: string): void {
  execFileSync('/usr/bin/python3', [MAKE_PACKAGES, directory], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The tools that are installed here, in sandboxes of namespaces. */
export async function onNamespaces(): Promise<ToolStage> {
  const root = mkdtempSync(join(tmpdir(), 'egress-tools-'))
  chmodSync(root, 0o755)
  const [work, home] = [join(root, 'work'), join(root, 'home')]
  for (const path of [work, home]) mkdirSync(path)
  makeOwn(work)
  makePackages(join(root, 'packages'))
  const token = `ghp_${randomBytes(18).toString('hex')}`
  const authority = await createCa('Registries')
  const arrived: Arrived[] = []
  const [first, ...others] = ALL_HOSTS
  const registries = await serveRegistries(
    {
      identity: await authority.issue([first, ...others]),
      directory: join(root, 'packages'),
      token,
      host: '127.0.0.1',
      ports: [0, 0],
    },
    (one) => arrived.push(one),
  )
  writePolicy(root, authority.pem, toolsPolicy(registries.ports))
  const options = ['--policy', join(root, 'egress.yaml'), '--workdir', work, '--write', ...clientMounts()]
  return {
    backend: 'namespaces',
    token,
    run: (script) =>
      collect(
        spawn(process.execPath, [MAIN, 'run', ...options, '--', 'sh', '-c', scriptIn(script)], {
          cwd: work,
          env: {
            PATH: process.env['PATH'] ?? '',
            HOME: home,
            LANG: 'C.UTF-8',
            EGRESS_AUDIT_DIR: join(root, 'audit'),
            API_TOKEN: token,
            GITHUB_TOKEN: token,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: 180_000,
        }),
      ),
    arrived: () => Promise.resolve(arrived),
    async close() {
      await registries.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
