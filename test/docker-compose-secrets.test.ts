import { execFile } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { loadPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { skipWithoutDocker } from './fixtures/docker.js'
import { NO_TOOLS, outgoingRequest } from './fixtures/outgoing.js'

const run = promisify(execFile)
const SECRET = 'tok-$Partofit-0123456789'
const POLICY =
  'services: { s: { url: "https://s.example.com", credential: { bearer: "${TOK}" }, rules: [{ allow: GET /** }] } }\n'

/** Everything that a plain `docker compose` prints in a directory with the shipped file. */
async function printed(directory: string, command: string): Promise<string> {
  copyFileSync(new URL('../../docker-compose.yml', import.meta.url), join(directory, 'docker-compose.yml'))
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    COMPOSE_PROJECT_NAME: 'egress-secrets-test',
  }
  const { stdout, stderr } = await run('docker', ['compose', command], { cwd: directory, env })
  return stdout + stderr
}

void t.test(
  'docker compose prints nothing of the secrets in egress.env',
  { skip: skipWithoutDocker() },
  async (t) => {
    const directory = writeFiles(t.testdir({}), { 'egress.yaml': POLICY, 'egress.env': `TOK=${SECRET}\n` })
    for (const command of ['config', 'ps']) t.notMatch(await printed(directory, command), /Partofit/, command)

    const loaded = await loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env: {}, cwd: directory })
    const headers = {}
    void loaded.policy.services.get('s')?.credential?.inject(outgoingRequest({ headers }), NO_TOOLS)
    t.same(headers, { authorization: `Bearer ${SECRET}` }, 'the control: the gateway has the whole secret')
    t.same(loaded.warnings, [])

    const other = writeFiles(t.testdir({ other: {} }) + '/other', {
      'egress.yaml': POLICY,
      '.env': `TOK=${SECRET}\n`,
    })
    t.match(await printed(other, 'config'), /Partofit/, 'the reason for the file: Compose reads .env')
    const warned = await loadPolicy('egress.yaml', { kinds: CREDENTIAL_KINDS, env: {}, cwd: other })
    t.match(warned.warnings, [{ file: '.env', line: 1, fix: /egress\.env/ }])
  },
)
