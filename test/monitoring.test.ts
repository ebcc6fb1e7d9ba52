import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { GatewayMetrics } from '#src/metrics/metrics.js'
import type { MetricSources } from '#src/metrics/state-metrics.js'
import type { HttpDecision } from '#proxy/contracts/events.js'
import type { GatewayEvent } from '#src/events/events.js'
import { destination, testPolicy } from './fixtures/policy.js'

// The series of /metrics: their names as Prometheus wants them, and the dashboard and alert rules that name them.

t.setTimeout(240_000)

const SANDBOX = { id: 'sb-0000000001', agent: 'ci' }
const HOST = 'very-own-host.example'

const SOURCES: MetricSources = {
  sandboxes: () => [{ ...SANDBOX, state: 'running' }],
  usageOf: () => ({ connections: 1, requests: 2, heldBytes: 3, budgetUsed: 0.5 }),
  audit: () => ({ bytes: 1, freeBytes: 2 }),
  auditFailures: () => 3,
  secrets: () => [{ name: 'TOKEN', ageMs: 1000, isFailing: false }],
  policy: () => ({ hash: 'ab', isRejected: false }),
  caExpires: 1e12,
  allStopped: () => false,
  checks: () => [{ name: 'audit', ok: true }],
}

const decision: Omit<HttpDecision, 'verdict' | 'reason'> = {
  ...{ at: 0, id: 'x', sandbox: SANDBOX, peer: { address: '127.0.0.1', port: 1 }, listener: 'forward' },
  ...{
    method: 'GET',
    scheme: 'https',
    host: HOST,
    port: 443,
    path: '/',
    query: null,
    detail: null,
    rule: null,
  },
  ...{ status: null, service: null, credential: null, address: null, kind: 'request' },
}

const EVENTS: readonly GatewayEvent[] = [
  { type: 'decision', event: { ...decision, verdict: 'allow', reason: null } },
  { type: 'decision', event: { ...decision, verdict: 'deny', reason: 'host-not-listed' } },
  {
    type: 'close',
    event: {
      ...{
        at: 0,
        id: 'x',
        sandbox: SANDBOX,
        host: HOST,
        service: null,
        credential: null,
        outcome: 'success',
      },
      ...{ reason: null, detail: null, status: 200, requestBytes: 1, responseBytes: 2, durationMs: 5 },
      redactions: [{ credential: 'c', count: 2 }],
      timing: { decisionMs: 1, upstreamMs: 4 },
    },
  },
  {
    type: 'query',
    event: {
      ...{ time: 0, sandbox: SANDBOX, client: { address: '127.0.0.1', port: 1 }, transport: 'udp', id: 1 },
      ...{
        question: { name: HOST, type: 'TYPE65280', class: 'IN' },
        verdict: 'deny',
        reason: 'host-not-listed',
      },
      ...{
        rule: null,
        wildcard: null,
        features: null,
        suspicious: true,
        budget: null,
        rcode: null,
        answers: [],
      },
    },
  },
  { type: 'gap', event: { at: 0, lost: 1 } },
  { type: 'rotation', event: { at: 0, secret: 'TOKEN', source: 'file', problem: null, fix: null } },
]

async function exposition(sources: MetricSources = SOURCES): Promise<string> {
  const metrics = new GatewayMetrics('1.2.3')
  const engine = new PolicyEngine(
    testPolicy({ destinations: [destination(`https://${HOST}`, ['allow * /**'], { id: 'allow[0]' })] }),
  )
  metrics.observe(sources, (agent, host) => (engine.evaluateName(agent, host).allowed ? 'exact' : 'unlisted'))
  for (const event of EVENTS) metrics.sink.take('', event, '')
  const answer = await metrics.route().handle({} as never)
  metrics.close()
  return answer.body as string
}

const namesIn = (text: string) =>
  new Set([...text.matchAll(/\b(?:egress|process)_[a-z0-9_]+/g)].map(([name]) => name))

void t.test('no label has a host name or what else a sandbox chooses', async (t) => {
  const text = await exposition()
  t.notMatch(text, HOST)
  t.match(
    text,
    /^egress_dns_queries_total\{agent="ci",verdict="denied",reason="host-not-listed",type="other"\} 1$/m,
  )
  t.match(text, /^egress_upstream_duration_seconds_count\{agent="ci"\} 1$/m)
})

void t.test('the series of a sandbox that is gone are gone', async (t) => {
  t.match(await exposition(), 'sb-0000000001')
  t.notMatch(await exposition({ ...SOURCES, sandboxes: () => [] }), 'sb-0000000001')
})

void t.test('dashboard and alert rules name only series that exist', async (t) => {
  const known = namesIn(await exposition())
  const dashboard = readFileSync('examples/monitoring/dashboard.json', 'utf8')
  const alerts = readFileSync('examples/monitoring/alerts.yml', 'utf8')
  const { panels } = JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[] }
  const { groups } = parse(alerts) as { groups: { rules: { alert: string; expr: string }[] }[] }
  const expressions = [
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ]
  t.ok(expressions.length > 25, String(expressions.length))
  const unknown = expressions.flatMap((expr) => [...namesIn(expr)].filter((name) => !known.has(name)))
  t.strictSame(unknown, [])
})

const LINT = `package main

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func main() {
	problems, err := promlint.New(os.Stdin).Lint()
	if err != nil {
		fmt.Println("unreadable:", err)
	}
	for _, problem := range problems {
		fmt.Printf("%s: %s\\n", problem.Metric, problem.Text)
	}
}
`

/** The checks of \`promtool check metrics\`, which is this module with a command around it. */
function buildLint(): string | null {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const directory = join(cache, 'egress-tests', 'promlint-1.23.2')
  const program = join(directory, 'promlint')
  if (existsSync(program)) return program
  if (spawnSync('go', ['version']).status !== 0) return null
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'main.go'), LINT)
  const require = 'require github.com/prometheus/client_golang v1.23.2'
  writeFileSync(join(directory, 'go.mod'), `module promlint\n\ngo 1.23\n\n${require}\n`)
  const run = (...words: string[]) =>
    execFileSync('go', words, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  run('mod', 'tidy')
  run('build', '-o', program, '.')
  return program
}

const lint = buildLint()
void t.test(
  'names and types as Prometheus wants them',
  { skip: lint === null && 'go is not installed' },
  async (t) => {
    const check = (input: string) => spawnSync(lint ?? '', { input, encoding: 'utf8' }).stdout
    t.match(check('# TYPE requests counter\nrequests 1\n'), /_total/, 'the control')
    t.equal(check(await exposition()), '')
  },
)
