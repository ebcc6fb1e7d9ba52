import t from 'tap'
import { objection } from './admit-pod.js'
import type { Pod } from './pod.js'
import { readReview } from './token-review.js'

const claim = { namespace: 'agents', serviceAccount: 'demo', podName: 'a', podUid: 'u' }
const pod: Pod = {
  ...{
    uid: 'u',
    namespace: 'agents',
    name: 'a',
    serviceAccount: 'demo',
    created: 0,
    addresses: ['10.0.0.1'],
  },
  ...{ labels: { 'egress/shard': '0' }, onHostNetwork: false, isEnding: false },
}

void t.test('token, pod, service account, address and shard must agree', (t) => {
  t.equal(objection(pod, claim, '10.0.0.1', '0'), null)
  const others: Record<string, [Pod | null, string, string]> = {
    gone: [null, '10.0.0.1', '0'],
    'another of the same name': [{ ...pod, uid: 'v' }, '10.0.0.1', '0'],
    'told to stop': [{ ...pod, isEnding: true }, '10.0.0.1', '0'],
    'another service account': [{ ...pod, serviceAccount: 'other' }, '10.0.0.1', '0'],
    'another address': [pod, '10.0.0.2', '0'],
    'part of an address': [pod, '10.0.0.11', '0'],
    'the network of the node': [{ ...pod, onHostNetwork: true }, '10.0.0.1', '0'],
    'another shard': [pod, '10.0.0.1', '1'],
    'no shard': [{ ...pod, labels: {} }, '10.0.0.1', '0'],
  }
  for (const [what, [one, source, shard]] of Object.entries(others))
    t.equal(objection(one, claim, source, shard)?.outcome, 'refused', what)
  t.equal(objection({ ...pod, addresses: [] }, claim, '10.0.0.1', '0')?.outcome, 'early')
  t.end()
})

void t.test('a review proves a pod only if everything is there', (t) => {
  const extra = {
    'authentication.kubernetes.io/pod-name': ['a'],
    'authentication.kubernetes.io/pod-uid': ['u'],
  }
  const user = { username: 'system:serviceaccount:agents:demo', extra }
  const status = { authenticated: true, audiences: ['egress'], user }
  t.strictSame(readReview({ status }), claim)
  const others: Record<string, unknown> = {
    'not authenticated': { ...status, authenticated: false },
    'no audiences: the authenticator knows nothing of them': { ...status, audiences: undefined },
    'another audience': { ...status, audiences: ['https://kubernetes.default.svc'] },
    'a person': { ...status, user: { ...user, username: 'alice' } },
    'not bound to a pod': { ...status, user: { ...user, extra: {} } },
    nothing: undefined,
  }
  for (const [what, other] of Object.entries(others)) t.equal(readReview({ status: other }), null, what)
  t.end()
})
