import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { CHART, execute, helm, kubectl, kubectlOk, NO_CLUSTER } from './cluster.js'
import { uninstall } from './gate.js'

const skip = NO_CLUSTER ?? false
const path = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url))

await t.test('the chart is well-formed, and the API server takes all of it', { skip }, async (t) => {
  await uninstall()
  t.teardown(uninstall)
  const linted = await helm(['lint', '--strict', CHART])
  t.equal(linted.code, 0, linted.stdout)
  // The server looks for the namespaces of what it is asked about.
  for (const name of ['egress', 'agents']) {
    const namespace = await kubectlOk(['create', 'namespace', name, '--dry-run=client', '-o', 'yaml'])
    await kubectlOk(['apply', '-f', '-'], namespace)
    await kubectlOk([
      'label',
      'namespace',
      name,
      '--overwrite',
      'pod-security.kubernetes.io/enforce=restricted',
    ])
  }
  const values = [
    [],
    ['--set', 'shards=3', '--set', 'clusterIPs={10.96.0.53,10.96.0.54}'],
    [
      '--set',
      'audit.size=1Gi',
      '--set',
      'audit.storageClass=fast',
      '--set',
      'env.EGRESS_ALERT_URL=https://a.example',
    ],
    ['--set', 'authoritySecret=mine', '--set', 'policyConfigMap=mine', '--set', 'podDisruptionBudget=false'],
  ]
  for (const set of values) {
    const rendered = await helm(['template', 'egress', CHART, '--namespace', 'egress', ...set])
    t.equal(rendered.code, 0, rendered.stderr)
    const { code, stderr } = await kubectl(['apply', '--dry-run=server', '-f', '-'], rendered.stdout)
    t.equal(code, 0, stderr)
    t.notMatch(stderr, /would violate PodSecurity/)
  }
})

await t.test('the Kustomize base is the chart', { skip }, async (t) => {
  const { stdout } = await execute(path('.ci/kustomize-base.sh'), [])
  t.equal(stdout, await readFile(path('kubernetes/base/egress.yaml'), 'utf8'))
  const built = await kubectl(['kustomize', path('kubernetes/base')])
  t.equal(built.code, 0, built.stderr)
})
