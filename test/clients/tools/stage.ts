import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import {
  ALL_HOSTS,
  FOREIGN_HOST,
  GITHUB_HOSTS,
  PACKAGE_HOSTS,
  TOKEN_HOSTS,
  type Arrived,
} from './registries.js'

/** Programs that no package of Debian has, as .ci/run installs them. */
export const CLIENTS = process.env['EGRESS_CLIENTS'] ?? '/opt/egress-clients'

/** Where tools run, and what their servers were asked. */
export interface ToolStage {
  readonly backend: 'namespaces' | 'docker'
  readonly token: string
  /** Runs a script for `sh` in a sandbox. */
  run(
    script: string,
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
  arrived(): Promise<readonly Arrived[]>
  close(): Promise<void>
}

const PRESETS: Readonly<Record<string, object>> = {
  pypi: { use: 'pypi' },
  npm: { use: 'npm' },
  yarn: { use: 'npm', url: 'https://registry.yarnpkg.com' },
  crates: { use: 'crates' },
  go: { use: 'go' },
  debian: { use: 'debian' },
  github: { use: 'github', owner: 'acme', project: ['left', 'app'], repository_id: 'R_1' },
}

const READ_ONLY = [
  'repo.maven.apache.org',
  'rubygems.org',
  'index.rubygems.org',
  'repo.packagist.org',
  'github-cloud.githubusercontent.com',
]

/** @param ports of the servers on loopback; null if their names lead to them */
export function toolsPolicy(ports: readonly [tls: number, plain: number] | null): string {
  const local = { allow_private_addresses: true, ca: './ca.pem' }
  const bearer = { credential: { bearer: '${API_TOKEN}' }, rules: [{ allow: 'GET /**' }], ...local }
  const dialled = ALL_HOSTS.filter((host) => host !== FOREIGN_HOST).map((host): [string, string] => [
    host,
    `127.0.0.1:${String(ports?.[0])}`,
  ])
  const policy = {
    services: {
      ...Object.fromEntries(Object.entries(PRESETS).map(([name, preset]) => [name, { ...preset, ...local }])),
      ...Object.fromEntries(
        TOKEN_HOSTS.map((host) => [host.replace('.', '-'), { url: `https://${host}`, ...bearer }]),
      ),
      public: {
        targets: READ_ONLY.map((host) => `https://${host}`),
        rules: [{ allow: 'GET,HEAD /**' }],
        ...local,
      },
    },
    ...(ports === null ? {} : { upstream: { hosts: Object.fromEntries(dialled) } }),
  }
  return stringify(policy, { aliasDuplicateObjects: false })
}

/** In a directory of its own, with the programs of CLIENTS in PATH. */
export function scriptIn(script: string): string {
  const paths = ['bin', 'node_modules/.bin', 'venv/bin', 'rust/bin'].map((name) => join(CLIENTS, name))
  return `export PATH="$PATH:${paths.join(':')}"; cd "$(mktemp -d)" && ${script}`
}

export const clientMounts = (): string[] => (existsSync(CLIENTS) ? ['--mount', CLIENTS] : [])

export function writePolicy(directory: string, ca: string, policy: string): void {
  writeFileSync(join(directory, 'ca.pem'), ca)
  writeFileSync(join(directory, 'egress.yaml'), policy)
}

export { GITHUB_HOSTS, PACKAGE_HOSTS }
