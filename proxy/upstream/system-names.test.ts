import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { addressesInHosts, lookUpAbsolute } from './system-names.js'

const HOSTS = `127.0.0.1 localhost # loopback
::1\tlocalhost ip6-localhost
  10.0.0.5   API.internal.example api
2001:db8::5 api.internal.example.
10.0.0.5 api.internal.example
#10.0.0.6 api.internal.example
nonsense api.internal.example
10.0.0.7
`

void t.test('the hosts file: whole names, any letter case, IPv4 first', (t) => {
  t.strictSame(addressesInHosts(HOSTS, 'localhost'), ['127.0.0.1', '::1'])
  t.strictSame(addressesInHosts(HOSTS, 'api.internal.example'), ['10.0.0.5', '2001:db8::5'])
  t.strictSame(addressesInHosts(HOSTS, 'api'), ['10.0.0.5'])
  for (const host of ['internal.example', 'example', '10.0.0.7', 'loopback', '', 'nonsense'])
    t.strictSame(addressesInHosts(HOSTS, host), [], host)
  t.end()
})

void t.test('a name is found in the hosts file, and one that exists nowhere is found nowhere', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'egress-hosts-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'hosts')
  writeFileSync(file, HOSTS)
  t.strictSame(await lookUpAbsolute('api.internal.example', file), ['10.0.0.5', '2001:db8::5'])
  await t.rejects(lookUpAbsolute('nowhere.invalid', file))
  await t.rejects(lookUpAbsolute('nowhere.invalid', join(directory, 'none')))
})
