import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runInSandbox } from '../demo/product.js'
import { PYTHON } from '../servers/s3.js'
import { branchOf, makeRepository } from './git-backend.js'
import { evaluate, notRun, type EvaluatedClient, type Said } from './evaluate.js'
import { clientsPolicy } from './policy.js'
import { HOSTS } from './names.js'
import { ROWS, type Call, type Row } from './rows.js'
import { confidential, makeSecrets } from './secrets.js'
import { startServices } from './services.js'

/** Folders of the compiled scripts and of the others. */
const COMPILED = fileURLToPath(new URL('./inside/', import.meta.url))
const SOURCES = fileURLToPath(new URL('../../../test/clients/inside/', import.meta.url))
const MODULES = fileURLToPath(new URL('../../../node_modules/', import.meta.url))

/** Clients that are not npm packages, with their Debian packages. */
const NEEDED: readonly (readonly [debian: string, command: readonly [string, ...string[]]])[] = [
  ['python3-jira', [PYTHON, '-c', 'import jira']],
  ['python3-jenkins', [PYTHON, '-c', 'import jenkins']],
  ['python3-boto3', [PYTHON, '-c', 'import boto3']],
  ['awscli', ['/usr/bin/aws', '--version']],
  ['git', ['git', '--version']],
  ['curl', ['curl', '--version']],
]

function missingPackages(): readonly string[] {
  return NEEDED.filter(([, [program, ...words]]) => {
    try {
      execFileSync(program, words, { stdio: 'ignore' })
      return false
    } catch {
      return true
    }
  }).map(([debian]) => debian)
}

/** Runs every installed client in one sandbox, and checks the requests that the mock servers received. */
export async function runClients(signal: AbortSignal): Promise<readonly EvaluatedClient[]> {
  const root = mkdtempSync(join(tmpdir(), 'egress-clients-'))
  const repositories = join(root, 'repositories')
  const secrets = makeSecrets()
  for (const host of [HOSTS.git, HOSTS.github]) makeRepository(join(repositories, host))
  const missing = missingPackages()
  const lacks = ({ needs }: Row) => needs.filter((debian) => missing.includes(debian))
  const services = await startServices(secrets, repositories, !missing.includes('python3-boto3'))
  try {
    const work = join(root, 'work')
    mkdirSync(work)
    cpSync(COMPILED, join(work, 'inside'), { recursive: true })
    cpSync(SOURCES, join(work, 'inside'), { recursive: true })
    writeFileSync(
      join(work, 'calls.json'),
      JSON.stringify(
        ROWS.filter((row) => lacks(row).length === 0).flatMap(({ id, allowed, refused }) => [
          { id: `${id}/allowed`, command: commandOf(allowed) },
          { id: `${id}/refused`, command: commandOf(refused) },
        ]),
      ),
    )
    // If root starts it, the sandbox has another user.
    chmodSync(work, 0o777)
    chmodSync(root, 0o711)
    writeFileSync(join(root, 'policy.yaml'), clientsPolicy(services.ports), { mode: 0o600 })
    writeFileSync(join(root, 'ca.pem'), services.ca)
    const said = new Map<string, Said>()
    const { output } = await runInSandbox({
      stack: null,
      policyPath: join(root, 'policy.yaml'),
      workPath: work,
      environment: { ...secrets, EGRESS_AUDIT_DIR: join(root, 'audit') },
      flags: ['--mount', MODULES],
      command: [process.execPath, 'inside/main.mjs', 'calls.json', MODULES],
      signal,
      onLine: (line) => {
        const one = readSaid(line)
        if (one !== null) said.set(one.id, one)
      },
    })
    const evidence = {
      received: services.received(),
      leaked: confidential(secrets).some((secret) => output.includes(secret)),
      pushed:
        branchOf(join(repositories, HOSTS.git), 'agent') !== null &&
        branchOf(join(repositories, HOSTS.github), 'agent') === null,
    }
    return ROWS.map((row) =>
      lacks(row).length > 0
        ? notRun(row, lacks(row))
        : evaluate(row, {
            ...evidence,
            allowed: said.get(`${row.id}/allowed`) ?? null,
            refused: said.get(`${row.id}/refused`) ?? null,
          }),
    )
  } finally {
    await services.close()
    rmSync(root, { recursive: true, force: true })
  }
}

function commandOf({ command }: Call): string[] {
  const programs: Readonly<Record<string, string>> = { python: PYTHON, node: process.execPath }
  return command.map((word) => (programs[word] ?? word).replace(/^@\//, 'inside/'))
}

/** Null if it is not one of our lines. */
function readSaid(line: string): Said | null {
  try {
    const said = JSON.parse(line) as Partial<Said> | null
    return typeof said?.id === 'string' && typeof said.stdout === 'string' ? (said as Said) : null
  } catch {
    return null
  }
}
