import t from 'tap'
import type { Pod } from './pod.js'
import { auditLabels, readPod, sandboxIdOf } from './pod.js'
import { PodRegistry } from './pod-registry.js'

const uid = (digit: number) => `${String(digit).repeat(8)}-0000-4000-8000-000000000000`

function pod(digit: number, address: string, more: Partial<Pod> = {}): Pod {
  return {
    ...{ uid: uid(digit), namespace: 'agents', name: `pod-${digit}`, serviceAccount: 'demo' },
    ...{ created: digit * 1000, addresses: [address], labels: {}, onHostNetwork: false, isEnding: false },
    ...more,
  }
}

function registry(account = () => 'demo') {
  const ended: string[] = []
  const pods = new PodRegistry({
    gatewayAddress: '10.96.0.53',
    make: ({ id, serviceAccount, labels }) =>
      serviceAccount === account() ? { id, agent: 'a', labels, placeholders: new Map() } : null,
    ended: ({ name }) => ended.push(name),
  })
  const add = (one: Pod, at = 5_000) => pods.add(pods.describe(one, one.addresses[0] ?? '', at))
  const whoIs = (address: string) => pods.identify({ address })?.id ?? null
  return { pods, ended, add, whoIs }
}

void t.test('an address is that of the pod that has proven itself there, and of no other', (t) => {
  const { add, whoIs, pods } = registry()
  add(pod(1, '10.0.0.1'))
  t.equal(whoIs('10.0.0.1'), sandboxIdOf(pod(1, '')))
  t.equal(whoIs('10.0.0.2'), null)
  t.ok(pods.isSandboxAddress('::ffff:10.0.0.1'))
  t.notOk(pods.isSandboxAddress('10.0.0.2'))
  t.end()
})

void t.test('a registration ends with the pod, with its address, and with a stop that was ordered', (t) => {
  const changes: Record<string, (one: Pod) => [Pod, boolean]> = {
    deleted: (one) => [one, true],
    'was told to stop, or has ended': (one) => [{ ...one, isEnding: true }, false],
    'has another address': (one) => [{ ...one, addresses: ['10.0.0.9'] }, false],
  }
  for (const [what, change] of Object.entries(changes)) {
    const { add, whoIs, pods, ended } = registry()
    add(pod(1, '10.0.0.1'))
    pods.observe(pod(1, '10.0.0.1'), false)
    t.not(whoIs('10.0.0.1'), null, `before it ${what}`)
    pods.observe(...change(pod(1, '10.0.0.1')))
    t.equal(whoIs('10.0.0.1'), null, what)
    t.strictSame(ended, ['pod-1'])
  }
  t.end()
})

void t.test('a newer pod at the address ends the former; late news of an older one ends nobody', (t) => {
  const { add, whoIs, pods } = registry()
  add(pod(2, '10.0.0.1'))
  pods.observe(pod(1, '10.0.0.1'), false)
  t.not(whoIs('10.0.0.1'), null, 'the older pod')
  pods.observe(pod(3, '10.0.0.1', { onHostNetwork: true }), false)
  t.not(whoIs('10.0.0.1'), null, 'a pod with the address of its node')
  pods.observe(pod(3, '10.0.0.1'), false)
  t.equal(whoIs('10.0.0.1'), null, 'the newer one, which has not proven itself')
  add(pod(4, '10.0.0.1'))
  add(pod(5, '10.0.0.1'))
  t.equal(whoIs('10.0.0.1'), sandboxIdOf(pod(5, '')))
  t.equal(pods.byUid(uid(4)), null)
  t.end()
})

void t.test('a list ends those that are not in it, but those that registered after it was asked for', (t) => {
  const { add, whoIs, pods } = registry()
  add(pod(1, '10.0.0.1'), 1_000)
  add(pod(2, '10.0.0.2'), 1_000)
  add(pod(3, '10.0.0.3'), 9_000)
  add(pod(4, '10.0.0.4', { namespace: 'other' }), 1_000)
  pods.observeAll('agents', [pod(2, '10.0.0.2')], 5_000)
  t.equal(whoIs('10.0.0.1'), null)
  for (const address of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) t.not(whoIs(address), null, address)
  t.end()
})

void t.test('a policy that takes the agent away takes the pod its access, and gives it back', (t) => {
  let account = 'demo'
  const { add, whoIs, pods } = registry(() => account)
  add(pod(1, '10.0.0.1'))
  account = 'another'
  pods.policyReplaced()
  t.equal(whoIs('10.0.0.1'), null)
  account = 'demo'
  pods.policyReplaced()
  t.not(whoIs('10.0.0.1'), null)
  t.end()
})

void t.test('what is read of a pod, and its labels', (t) => {
  t.equal(readPod(null), null)
  t.equal(readPod({ metadata: { uid: 'x' } }), null)
  const read = readPod({
    metadata: {
      ...{ uid: uid(1), namespace: 'agents', name: 'a', creationTimestamp: '1970-01-01T00:00:01Z' },
      labels: {
        'audit.egress/task': '123',
        'audit.egress/pod': 'a lie',
        'audit.egress/empty': '',
        other: 'x',
      },
    },
    spec: { serviceAccountName: 'demo' },
    status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] },
  })
  t.match(read, { created: 1000, addresses: ['10.0.0.1'], isEnding: false, onHostNetwork: false })
  t.strictSame(read === null ? [] : auditLabels(read), ['namespace=agents', 'pod=a', 'task=123'])
  t.end()
})
