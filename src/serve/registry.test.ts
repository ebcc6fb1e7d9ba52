import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { EgressError } from '../common/errors.js'
import { readFixedNetworks } from './fixed-networks.js'
import { SandboxRegistry, type Registration } from './registry.js'
import { addressNumber, addressText, parseSubnet } from './subnet.js'

function registryOf(fixed: Record<string, string> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'egress-registry-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return { directory, registry: new SandboxRegistry(directory, readFixedNetworks(fixed)) }
}

function registration(id: string, subnet: string, agent = 'default'): Registration {
  return {
    id,
    agent,
    subnet,
    command: 'true',
    boot: null,
    placeholders: new Map([['TOKEN', `placeholder-${id}`]]),
  }
}

void t.test('a sandbox is its own address in its own network, and nothing else is', (t) => {
  const { registry } = registryOf()
  registry.add(registration('sb-0000000001', '10.231.0.8/29', 'one'))
  const who = (address: string, local?: string) =>
    registry.identify({ address, ...(local === undefined ? {} : { localAddress: local }) })?.agent ?? null
  t.equal(who('10.231.0.12'), 'one')
  t.equal(who('10.231.0.12', '10.231.0.11'), 'one')
  t.equal(who('10.231.0.12', '10.231.0.19'), null, 'by the address of another network')
  for (const last of [8, 9, 10, 11, 13, 14, 15])
    t.equal(who(`10.231.0.${String(last)}`), null, `.${String(last)}`)
  t.equal(who('10.231.0.20'), null, 'the next network')
  for (const odd of ['', '::1', '::ffff:10.231.0.12', '10.231.0.12 ', '10.231.12', '010.231.0.12'])
    t.equal(who(odd), null, odd)
  t.end()
})

void t.test('registrations outlive the gateway, and end at once', (t) => {
  const { directory, registry } = registryOf()
  registry.add(registration('sb-0000000001', '10.231.0.8/29'))
  const again = new SandboxRegistry(directory, [])
  const sandbox = again.identify({ address: '10.231.0.12' })
  t.match(sandbox, { id: 'sb-0000000001', agent: 'default' })
  t.equal(sandbox?.placeholders.get('TOKEN'), 'placeholder-sb-0000000001')
  t.equal(again.proxyFor({ id: 'sb-0000000001', agent: '' }), '10.231.0.11')
  t.equal(again.holder('10.231.0.8/29')?.id, 'sb-0000000001')
  const found = registry.find('sb-0000000001')
  t.equal(found?.subnet, '10.231.0.8/29')
  if (found !== null) registry.remove(found)
  t.equal(again.identify({ address: '10.231.0.12' }), null, 'in the other process too')
  t.equal(registry.find('sb-0000000001'), null)
  t.equal(again.holder('10.231.0.8/29'), null)
  t.throws(() => again.proxyFor({ id: 'sb-0000000001', agent: '' }))
  t.end()
})

void t.test('a network that is used again is the new sandbox, never the old one', (t) => {
  const { directory, registry } = registryOf()
  const reader = new SandboxRegistry(directory, [])
  for (let run = 0; run < 50; run += 1) {
    const id = `sb-${String(run).padStart(10, '0')}`
    registry.add(registration(id, '10.231.0.8/29'))
    t.equal(reader.identify({ address: '10.231.0.12' })?.id, id)
  }
  t.end()
})

void t.test('a file that cannot be read is nobody', (t) => {
  const { directory, registry } = registryOf()
  for (const text of [
    '',
    '{}',
    'null',
    '[]',
    '{"id":1,"agent":"a","subnet":"x","command":"c","placeholders":{}}',
  ]) {
    writeFileSync(join(directory, '10.231.0.8.json'), text)
    t.equal(registry.identify({ address: '10.231.0.12' }), null, text)
    rmSync(join(directory, '10.231.0.8.json'))
  }
  t.strictSame(new SandboxRegistry('/nowhere', []).list(), [])
  t.end()
})

void t.test('networks that stay are told by variables', (t) => {
  const { registry } = registryOf({ EGRESS_NETWORK_MY_TEAM: '10.9.0.16/28 research', OTHER: 'x' })
  t.match(registry.identify({ address: '10.9.0.20' }), { id: 'my-team', agent: 'research' })
  t.match(registry.identify({ address: '10.9.0.30', localAddress: '10.9.0.19' }), { id: 'my-team' })
  for (const gateway of ['10.9.0.17', '10.9.0.18', '10.9.0.19'])
    t.equal(registry.identify({ address: gateway }), null)
  t.equal(registry.identify({ address: '10.9.0.20', localAddress: '10.8.0.3' }), null)
  t.equal(registry.proxyFor({ id: 'my-team', agent: '' }), '10.9.0.19')
  for (const wrong of ['10.9.0.16/28', '10.9.0.17/28 a', '10.9.0.16/30 a', 'x a', '10.9.0.16/28 a b']) {
    t.throws(() => readFixedNetworks({ EGRESS_NETWORK_X: wrong }), EgressError, wrong)
  }
  t.end()
})

void t.test('who is there: runs while they last, and networks that stay', (t) => {
  const { registry } = registryOf({ EGRESS_NETWORK_MY_TEAM: '10.9.0.16/28 research' })
  const run = registration('sb-0123456789', '10.231.0.8/29')
  registry.add(run)
  const there = () => ['sb-0123456789', 'my-team', 'sb-9876543210'].map(registry.activeSandboxes())
  t.strictSame(there(), [true, true, false])
  registry.remove(run)
  t.strictSame(there(), [false, true, false])
  t.end()
})

void t.test('a run is abandoned when the gateway is not in its network for long', (t) => {
  const { registry } = registryOf()
  registry.add(registration('sb-0000000001', '10.231.0.8/29'))
  registry.add(registration('sb-0000000002', '10.231.0.16/29'))
  const at = Date.now()
  const isOwn = (address: string) => address === '10.231.0.11'
  const stale = (before: number) => registry.stale(before, isOwn).map(({ id }) => id)
  t.strictSame(stale(at + 1000), ['sb-0000000002'])
  t.strictSame(stale(at - 1000), [], 'its network is being made')
  t.end()
})

void t.test('addresses', (t) => {
  for (const text of ['0.0.0.0', '10.231.255.248', '255.255.255.255']) {
    t.equal(addressText(addressNumber(text) ?? -1), text)
  }
  t.strictSame(parseSubnet('10.0.0.8/29'), { base: 167772168, bits: 29 })
  for (const wrong of ['10.0.0.9/29', '10.0.0.8/33', '10.0.0.8', '::/29', '10.0.0.8/29 ']) {
    t.equal(parseSubnet(wrong), null, wrong)
  }
  t.end()
})

void t.test('a restart of the machine ends what was registered before it, and nothing else', (t) => {
  const { registry } = registryOf()
  const boots = { 'sb-0000000001': 'earlier', 'sb-0000000002': 'now', 'sb-0000000003': null }
  for (const [index, [id, boot]] of Object.entries(boots).entries())
    registry.add({ ...registration(id, `10.231.0.${String(8 * index)}/29`), boot })
  t.strictSame(
    registry.ofEarlierBoots('now').map(({ id }) => id),
    ['sb-0000000001'],
  )
  t.strictSame(registry.ofEarlierBoots(null), [], 'where the system does not tell')
  t.end()
})
