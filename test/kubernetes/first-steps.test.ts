import t from 'tap'
import { NAMES } from '../demo/names.js'
import { runPod } from './agent-pod.js'
import { NO_CLUSTER } from './cluster.js'
import { installGate } from './gate.js'

await t.test('an agent in a pod', { skip: NO_CLUSTER ?? false }, async (t) => {
  const gate = await installGate()
  t.teardown(() => gate.close())
  const [gateway = ''] = gate.addresses
  const ask = `
    curl -sS -o /dev/null -w 'allowed %{http_code}\\n' https://${NAMES.jira}/rest/api/2/myself
    curl -sS -o /dev/null -w 'denied %{http_code}\\n' https://${NAMES.jira}/rest/api/2/secure/x
    curl -sS -m 5 -o /dev/null -w 'other %{http_code}\\n' https://${NAMES.attacker}/
    env | grep -c -- "$1"
  `
  const { output, initOutput, exitCode } = await runPod({
    ...{ name: 'first', gateway, labels: { 'audit.egress/task': '123' } },
    command: ['sh', '-c', ask, 'sh', gate.secrets.JIRA_TOKEN],
  })
  t.match(initOutput, /^egress: pod-[0-9a-f-]{13} is agent demo; the network policy held after \d+ attempts/)
  t.match(output, /allowed 200\n/)
  t.match(output, /denied 403\n/)
  t.match(output, /other (?:403|000)\n/)
  t.match(output, /\n0\n$/, 'no variable has the credential')
  t.equal(exitCode, 1, 'which is what grep says of that')
  const { jira } = await gate.world.records()
  t.strictSame(
    jira.map(({ credential, target }) => ({ credential, target })),
    [{ credential: 'real', target: '/rest/api/2/myself' }],
    'the service got one request, with the credential',
  )
})
