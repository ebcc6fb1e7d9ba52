import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { DockerGateway, skipWithoutDocker } from './fixtures/docker.js'
import { collect } from './fixtures/run.js'

// On Docker: a home directory that stays, and the line at the end of a run.

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url))
const SECRET = 'ghp_R3alT0kenThatNobodyMaySee0123456789ab'
const USER = process.getuid?.() === 0 ? 1000 : (process.getuid?.() ?? 0)

t.setTimeout(600_000)

void t.test('homes and summaries on Docker', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway('allow: [{ host: api.test.example }]\nquiet: [quiet.example]\n')
  t.teardown(() => gateway.down())
  await gateway.up()
  const user = join(gateway.directory, 'user')
  mkdirSync(user)
  const run = (...words: string[]) =>
    collect(
      spawn(process.execPath, [MAIN, 'run', '--backend', 'docker', ...words], {
        cwd: gateway.work,
        env: { ...gateway.env, HOME: user },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
  const sh = (script: string, ...options: string[]) =>
    run('--home', 'kept', ...options, '--', 'sh', '-c', script)
  const home = join(
    user,
    '.local/share/egress/homes',
    ...(process.getuid?.() === 0 ? [`uid-${String(USER)}`] : []),
    'kept',
  )

  await t.test('what the agent keeps is its own, what the user has put there is hidden', async (t) => {
    const first = await sh('echo mine >~/.claude.json; echo $HOME; ls ~/.pki/nssdb; getent passwd $(id -u)')
    t.match(first, { code: 0, stdout: `${home}\ncert9.db\n` })
    t.match(first.stdout, `:${home}:`)
    writeFileSync(join(home, '.netrc'), SECRET)
    writeFileSync(
      join(home, '.credentials.json'),
      JSON.stringify({ a: { accessToken: SECRET, expiresAt: 1 } }),
    )
    for (const name of ['.netrc', '.credentials.json']) {
      chmodSync(join(home, name), 0o644)
      chownSync(join(home, name), USER, USER)
    }
    const second = await sh(
      'cd ~; echo more >>.claude.json; cat .claude.json .netrc .credentials.json; mv .netrc x; echo later >.npmrc; cat .npmrc',
    )
    t.match(second.stdout, /^mine\nmore\n\{\n/)
    t.match(second.stdout, /later\n$/, 'nothing that it writes is hidden')
    t.notMatch(second.stdout + second.stderr, SECRET)
    const third = await sh(`cat ~/.npmrc; grep -r -s ${SECRET.slice(0, 20)} ~ || echo none`)
    t.match(third.stdout, 'later\nnone\n')
  })

  await t.test('the end of a run says what was refused, by both roles', async (t) => {
    const ask =
      'curl -s -o /dev/null https://evil.example/; curl -s -o /dev/null --noproxy "*" http://named.example/; curl -s https://quiet.example; true'
    const { stderr, code } = await run('--', 'sh', '-c', ask)
    t.equal(code, 0)
    t.match(
      stderr,
      /egress: 3 requests, 2 refused \(evil\.example 1, named\.example 1\): docker compose exec proxy egress logs --denied\n/,
    )
    t.notMatch((await run('--', 'true')).stderr, 'refused')
  })

  await t.test('a known agent without a service is told so', async (t) => {
    const { stderr, code } = await run('--no-write', '--image', 'agent-egress-sandbox:local', 'claude')
    t.not(code, 0)
    t.match(stderr, 'has no service for Claude Code')
  })
})
