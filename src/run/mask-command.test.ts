import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { maskCommand } from './mask-command.js'

const KNOWN = 'known-secret-of-the-policy'
const SECRET = new Secret('KNOWN', KNOWN)

void t.test('what may be secret is hidden, and what tells what was run is not', (t) => {
  const cases: readonly (readonly [string[], string])[] = [
    [['python3', 'agent.py', '--task', '123'], 'python3 agent.py --task 123'],
    [['deploy', '--token', 'hunter22', '--to', 'prod'], 'deploy --token (hidden) --to prod'],
    [['deploy', '--api-key=hunter22'], "deploy '--api-key=(hidden)'"],
    [['env', 'DB_PASSWORD=hunter22', 'DEBUG=1', 'make'], "env 'DB_PASSWORD=(hidden)' DEBUG=1 make"],
    [['curl', '-H', 'Authorization: Bearer hunter22'], "curl -H 'Authorization: Bearer (hidden)'"],
    [['curl', '-u', 'me:hunter22', 'https://a.example/'], "curl -u 'me:(hidden)' https://a.example/"],
    [['git', 'clone', 'https://me:hunter22@git.example/x'], "git clone 'https://(hidden)@git.example/x'"],
    [['sh', '-c', 'login --password hunter22; echo done'], "sh -c 'login --password (hidden); echo done'"],
    [['sh', '-c', `echo ${KNOWN}`], "sh -c 'echo (hidden)'"],
    [['x', 'ghp_0123456789abcdefghijABCDEFGHIJ012345'], 'x (hidden)'],
    [['node', 'café.js'], "node 'café.js'"],
  ]
  for (const [command, line] of cases) t.equal(maskCommand(command, [SECRET]), line)
  for (const [command] of cases) t.notMatch(maskCommand(command, [SECRET]), /hunter22|known-secret|ghp_/)
  t.ok(maskCommand(['sh', '-c', 'x'.repeat(100_000)], []).length < 5_000, 'a script is cut')
  for (const part of ['x', 'token', 'token=', ' --token ', ' ', "'", '://', 'a-'])
    t.ok(maskCommand(['sh', '-c', part.repeat(200_000)], []).length < 5_000, part)
  t.end()
})
