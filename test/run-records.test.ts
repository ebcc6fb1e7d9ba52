import t from 'tap'
import { makeWorkspace } from './fixtures/run.js'

// What the log has of a run: who, what, where, and the labels that its operator gave it.

const TOKEN = 'known-token-of-the-policy-0123'
const POLICY = `services:
  api: { url: "https://api.example", credential: { bearer: "\${API_TOKEN}" }, rules: [{ allow: GET /** }] }
`

interface RunRecord {
  readonly event: { readonly action: string }
  readonly egress: { readonly sandbox: { readonly labels: string[] } | null }
}

void t.test('labels, and the start of a run', async (t) => {
  const space = makeWorkspace(POLICY, { API_TOKEN: TOKEN })
  t.teardown(() => space.remove())
  // What a sandbox says of labels is what it says in a request.
  const script = `curl -s --noproxy '*' https://other.example/; curl -s -o /dev/null -H 'X-Labels: task=9' 'https://evil.example/?labels=task=9'; echo ${TOKEN} --password hunter22 >/dev/null`
  const labels = ['--label', 'task=123', '--label', 'team=a b']
  const { code, stderr } = await space.run(['run', ...labels, '--', 'sh', '-c', script])
  t.equal(code, 0, stderr)
  await space.run(['run', '--', 'true'])

  const all = await space.run(['logs', '--json', '--label', 'task=123'])
  const records = all.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RunRecord)
  const actions = records.map(({ event }) => event.action)
  for (const action of ['sandbox-start', 'dns-query', 'http-connect', 'sandbox-end'])
    t.ok(actions.includes(action), `${action} has the label: ${actions.join()}`)
  for (const { egress } of records) t.strictSame(egress.sandbox?.labels, ['task=123', 'team=a b'])
  t.equal(actions.filter((action) => action === 'sandbox-start').length, 1, 'and the other run has none')
  t.match(
    records.find(({ event }) => event.action === 'sandbox-start'),
    {
      process: {
        executable: 'sh',
        command_line: /^sh -c '.*echo \(hidden\) --password \(hidden\) >\/dev\/null'$/,
        working_directory: space.directory,
      },
      user: { id: /^\d+$/ },
      egress: { policy: { hash: /^[0-9a-f]{64}$/ } },
    },
  )
  t.notMatch(all.stdout, /known-token|hunter22/)
  t.equal((await space.run(['logs', '--label', 'task=9'])).stdout, '')
  t.match(
    (await space.run(['logs', 'sandbox', '--label', 'task=123'])).stdout,
    /sandbox-start sb-.* task=123/,
  )

  for (const wrong of ['task', '=1', 'task=', '9=1', `task=${'x'.repeat(129)}`, 'task=\n'])
    t.match(await space.run(['run', '--label', wrong, '--', 'true']), {
      code: 125,
      stderr: 'Invalid --label value',
    })
  const many = Array.from({ length: 9 }, (_, index) => ['--label', `l${String(index)}=1`]).flat()
  t.match(await space.run(['run', ...many, '--', 'true']), { code: 125, stderr: '9 labels are too many' })
})
