import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeWorkspace } from './fixtures/run.js'

// A home directory that stays: what agents keep there is theirs, and what the user has put there is hidden as anywhere else.

const SECRET = 'ghp_R3alT0kenThatNobodyMaySee0123456789ab'
/** The user of the sandbox when root starts it in a directory of this user. */
const USER = 1000

function setUp(t: Test) {
  const user = t.testdir({})
  const space = makeWorkspace('allow: [{ host: pypi.org }]\n', { HOME: user })
  t.teardown(() => space.remove())
  const isRoot = process.getuid?.() === 0
  if (isRoot) chownSync(space.directory, USER, USER)
  const home = join(user, '.local/share/egress/homes', ...(isRoot ? [`uid-${String(USER)}`] : []), 'kept')
  const sh = async (script: string, ...options: readonly string[]) => {
    const { code, stdout, stderr } = await space.run([
      'run',
      '--home',
      'kept',
      ...options,
      '--',
      'sh',
      '-c',
      script,
    ])
    return { code, text: stdout.trim(), stderr }
  }
  /** As the user does, outside of every sandbox. */
  const put = (name: string, text: string) => {
    mkdirSync(join(home, name, '..'), { recursive: true })
    writeFileSync(join(home, name), text)
    if (isRoot) for (const path of [join(home, name, '..'), join(home, name)]) chownSync(path, USER, USER)
  }
  return { space, home, sh, put }
}

void t.test('what an agent keeps is there the next time, whatever its name', async (t) => {
  const { home, sh } = setUp(t)
  const write =
    'mkdir -p ~/.codex ~/.aws && echo mine >~/.claude.json && echo mine >~/.codex/auth.json && echo mine >~/.aws/config && cat ~/.claude.json'
  t.match(
    await sh(write),
    { code: 0, text: 'mine', stderr: /^(?!.*Hidden)/s },
    'nothing is hidden while it writes',
  )
  const change =
    'cd ~ && cat .claude.json .codex/auth.json .aws/config && echo more >>.claude.json && mv .codex/auth.json .codex/x && rm -r .aws'
  t.match(await sh(change), { code: 0, text: 'mine\nmine\nmine' })
  t.equal(readFileSync(join(home, '.claude.json'), 'utf8'), 'mine\nmore\n')
  t.match(await sh('echo $HOME; pwd -P; getent passwd agent'), {
    text: new RegExp(`^${home}\n.*\n.*:${home}:`),
  })
  const other = await sh('cat ~/.claude.json', '--home', 'other')
  t.not(other.code, 0, 'another home is another one')
})

void t.test('what the user has put there is hidden, and stays so', async (t) => {
  const { sh, put } = setUp(t)
  await sh('mkdir -p ~/.config ~/.claude; echo mine >~/.npmrc')
  put('.netrc', `machine x password ${SECRET}\n`)
  put('.config/gh/hosts.yml', `oauth_token: ${SECRET}\n`)
  put(
    '.claude/.credentials.json',
    JSON.stringify({ claudeAiOauth: { accessToken: SECRET, subscriptionType: 'max' } }),
  )
  const look = 'cd ~; grep -r -c . .netrc .config/gh; cat .claude/.credentials.json .npmrc'
  const { text, stderr } = await sh(look)
  t.match(text, /"subscriptionType": "max"/, 'the login has its structure')
  t.match(text, /mine$/, 'and the file of the agent is as it was')
  t.match(stderr, /hidden from the sandbox/)
  t.notMatch(text + stderr, SECRET)
  // None of these makes them files of the sandbox's own.
  const attempts = [
    'chmod 600 ~/.netrc; touch ~/.netrc; echo >>~/.netrc',
    'mv ~/.netrc ~/x; mv ~/.claude ~/y; mv ~/.config ~/z',
    'ln ~/.netrc ~/x; ln -s ~/.netrc ~/x2; rm -f ~/.netrc; rm -rf ~/.claude ~/.config',
    'cp -a ~/. ~/copy',
  ]
  for (const attempt of attempts) {
    const during = await sh(`(${attempt}) 2>/dev/null; grep -r -s ${SECRET.slice(0, 20)} ~ && echo FOUND`)
    t.notMatch(during.text, 'FOUND', attempt)
    t.notMatch(
      (await sh(`grep -r -s ${SECRET.slice(0, 20)} ~ && echo FOUND`)).text,
      'FOUND',
      `after: ${attempt}`,
    )
  }
})

void t.test('the host obeys nothing of it', async (t) => {
  const { space, home, sh } = setUp(t)
  const plant =
    'cd ~; echo "allow: []" >egress.yaml; git init -q . 2>&1; git config core.fsmonitor "touch pwned"; echo ok'
  t.match(
    await sh(plant),
    { text: /ok$/, stderr: /\.git-from-sandbox/ },
    'a repository that runs programs is set aside',
  )
  const check = await space.run(['check', join(home, 'egress.yaml')])
  t.not(check.code, 0)
  const planted = await sh('cd ~; ln -s /etc/passwd egress.yaml; echo $?')
  t.match(planted.text, '1', 'the name of a policy cannot be taken')
  await sh('mkdir -p ~/sub; echo "allow: []" >~/sub/egress.yaml')
  const other = await space.run(['check', join(home, 'sub/egress.yaml')])
  t.match(other.stderr, 'was created or changed while a sandbox could write')
})

void t.test('--home of a directory, beside a read-only project', async (t) => {
  const { space } = setUp(t)
  const place = join(space.directory, 'agent-home')
  const script = 'echo mine >~/x; echo $HOME; touch here'
  const { stdout, code } = await space.run(['run', '--home', './agent-home', '--', 'sh', '-c', script])
  t.match({ stdout, code }, { stdout: `${place}\n`, code: 1 })
  t.equal(readFileSync(join(place, 'x'), 'utf8'), 'mine\n')
  const none = await space.run(['run', '--', 'sh', '-c', 'echo $HOME'])
  t.equal(none.stdout, '/home/agent\n', 'without the option it is in memory')
})
