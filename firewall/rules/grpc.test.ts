import t from 'tap'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { isDiagnostic } from '../contracts/diagnostic.js'
import { DEFAULT_AGENT } from '../contracts/identity.js'
import { PolicyEngine } from '../policy-engine/policy-engine.js'
import { grpc, grpcReadings, mayBeGrpc, type GrpcMatch } from './grpc.js'
import { RULE_KINDS } from './index.js'
import { parseRequestTarget } from './request-path.js'

function match(text: string): GrpcMatch {
  const parsed = grpc.parse(`GRPC ${text}`)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return parsed
}

function pathOf(target: string) {
  const path = parseRequestTarget(target)
  if (typeof path === 'string') throw new Error(path)
  return path
}

const call = (target: string, method = 'POST', type = 'application/grpc') =>
  grpcReadings(method, pathOf(target), type)[0] ?? { isCall: false, path: '', loose: pathOf('/').loose }

void t.test('a rule names a service and a method', (t) => {
  t.match(match('pkg.v1.Stock/Get'), { service: 'pkg.v1.Stock', method: 'Get', prefix: '' })
  t.match(match('Stock/*'), { service: 'Stock', method: null })
  t.match(match('*/*'), { service: null, method: null })
  for (const [text, fix] of [
    ['pkg.Stock', /^Write `pkg\.Stock\/\*` for all methods/],
    ['/pkg.Stock/Get', /^Write `pkg\.Stock\/Get`$/],
    ['pkg.Stock/Get/x', /^Write `pkg\.Stock\/Get`$/],
    ['*/Get', /package\.Service\/Method/],
    ['pkg.*/Get', /package\.Service\/Method/],
    ['pkg..Stock/Get', /package\.Service\/Method/],
    ['pkg.Stock/Get*', /package\.Service\/Method/],
    ['pkg.Stock/%47et', /package\.Service\/Method/],
    ['', /package\.Service\/Method/],
    ['pkg.Stock/Get pkg.Stock/Put', /Write/],
  ] as const)
    t.match(grpc.parse(`GRPC ${text}`), { problem: /Invalid gRPC rule/, fix }, text)
  t.match(RULE_KINDS.parse('GRPC a.B/C'), { kind: 'grpc' }, 'by its keyword')
  t.equal(grpc.explain(match('a.B/C')), 'call a.B/C by gRPC')
  t.equal(grpc.explain(match('a.B/*')), 'call any method of a.B by gRPC')
  t.equal(grpc.explain(match('*/*')), 'call any method by gRPC')
  t.end()
})

void t.test('an allow rule matches calls alone, and what it says', (t) => {
  const rule = match('pkg.Stock/Get')
  for (const type of [
    'application/grpc',
    'application/grpc+proto',
    'application/grpc;x=1',
    'application/grpc-web-text+proto',
  ])
    t.equal(grpc.matches(rule, call('/pkg.Stock/Get', 'POST', type)), true, type)
  for (const type of ['application/json', 'application/grpcx', 'text/plain; application/grpc', ''])
    t.equal(grpc.matches(rule, call('/pkg.Stock/Get', 'POST', type)), false, type)
  t.equal(grpc.matches(rule, call('/pkg.Stock/Get', 'GET')), false)
  t.equal(grpc.matches(rule, call('/pkg.Stock/Get?x')), false, 'a query is a part of the name to servers')
  for (const other of [
    '/pkg.Stock/get',
    '/pkg.Stock/Get/',
    '//pkg.Stock/Get',
    '/x/pkg.Stock/Get',
    '/pkg.Stock',
  ])
    t.equal(grpc.matches(rule, call(other)), false, other)
  t.equal(grpc.matches(match('pkg.Stock/*'), call('/pkg.Stock/Put')), true)
  t.equal(grpc.matches(match('pkg.Stock/*'), call('/pkg.Stock/')), false)
  t.equal(grpc.matches(match('pkg.Stock/*'), call('/pkg.Stock/a/b')), false)
  t.equal(grpc.matches(match('*/*'), call('/other/Method')), true)
  t.equal(grpc.matches(match('*/*'), call('/upload')), false)
  const below = grpc.below(rule, '/base')
  t.equal(grpc.matches(below, call('/base/pkg.Stock/Get')), true)
  t.equal(grpc.matches(below, call('/pkg.Stock/Get')), false)
  t.equal(grpc.matches(below, call('/basement/pkg.Stock/Get')), false)
  t.equal(grpcReadings('POST', pathOf('/a.B/C'), ['application/grpc', 'x'])[0]?.isCall, false, 'two types')
  t.equal(mayBeGrpc(['text/plain', 'Application/GRPC']), true)
  t.equal(mayBeGrpc('application/json'), false)
  t.end()
})

void t.test('a deny rule matches every request that a server could take for the call', (t) => {
  const rule = match('pkg.Stock/Delete')
  const denies = (target: string, method = 'POST', type = 'application/json') =>
    grpc.matchesLoosely?.(rule, call(target, method, type))
  for (const target of [
    '/pkg.Stock/Delete',
    '/PKG.stock/delete',
    '/pkg.Stock/Delete/',
    '//pkg.Stock//Delete',
    '/pkg%2EStock/Delete;x=1',
    '/pkg.Stock%2FDelete',
  ])
    t.equal(denies(target), true, target)
  t.equal(denies('/pkg.Stock/Delete?message=%7B%7D', 'GET'), true, 'Connect has calls by GET')
  t.equal(denies('/pkg.Stock/Get'), false)
  t.equal(grpc.matchesLoosely?.(match('pkg.Stock/*'), call('/pkg.stock/Anything', 'GET')), true)
  t.end()
})

void t.test('rules that say the same are found', (t) => {
  const [any, service, get, put] = ['*/*', 'a.B/*', 'a.B/Get', 'a.B/Put'].map(match) as [
    GrpcMatch,
    GrpcMatch,
    GrpcMatch,
    GrpcMatch,
  ]
  t.same(grpc.covers([get, service], put), [1])
  t.same(grpc.covers([any], service), [0])
  t.equal(grpc.covers([get], service), null)
  t.equal(grpc.covers([grpc.below(any, '/x')], get), null)
  t.equal(grpc.overlaps(service, get), true)
  t.equal(grpc.overlaps(get, any), true)
  t.equal(grpc.overlaps(get, put), false)
  t.end()
})

void t.test(
  'calls are for rules of gRPC alone where there are any, and their deny rules hold for all',
  (t) => {
    const ask = (rules: readonly string[], own: readonly string[] | null = null) => {
      const all = destination('https://a.example', rules, { id: 'services.a' })
      const agentRules = { [DEFAULT_AGENT]: destination('https://a.example', own ?? [], { id: 'own' }).rules }
      const engine = new PolicyEngine(
        testPolicy({ destinations: [own === null ? all : { ...all, agentRules }] }),
      )
      return (
        target: string,
        contentType: string | string[] = 'application/grpc',
        overrides: string[] = [],
      ) => {
        const verdict = engine.evaluateRequest({
          agent: DEFAULT_AGENT,
          scheme: 'https',
          host: 'a.example',
          port: 443,
          method: 'POST',
          path: pathOf(target),
          contentType,
          overrides,
        })
        return verdict.allowed ? verdict.rule.text : verdict.reason
      }
    }
    const both = ask(['deny GRPC a.B/Delete', 'allow GRPC a.B/*', 'allow * /**'])
    t.equal(both('/a.B/Get'), 'GRPC a.B/*')
    t.equal(both('/a.B/Delete'), 'denied-by-rule')
    t.equal(both('/a.C/Get'), 'no-rule', 'the rule of HTTP is not for calls')
    t.equal(both('/a.C/Get', 'Application/GRPC-other'), 'no-rule', 'nor for what a server may take for one')
    t.equal(both('/a.C/Get', ['text/plain', 'application/grpc']), 'no-rule')
    t.equal(both('/a.C/Get', 'application/json'), '* /**')
    t.equal(both('/a.B/delete', 'application/json'), 'denied-by-rule')
    t.equal(both('/a.B/Get', 'application/grpc', ['DELETE']), 'no-rule', 'every method that it names')
    t.equal(both('/a.B%2FGet'), 'ambiguous-path')

    const http = ask(['allow POST /a.B/**'])
    t.equal(http('/a.B/Get'), 'POST /a.B/**', 'without such rules a call is a POST like any other')
    const narrowed = ask(['allow * /**'], ['allow GRPC a.B/Get'])
    t.equal(narrowed('/a.B/Get'), '* /**')
    t.equal(narrowed('/a.B/Put'), 'no-rule')
    t.equal(
      narrowed('/a.B/Get', 'application/json'),
      'no-rule',
      'an agent has no more than its own rules say',
    )
    t.equal(ask(['allow GRPC a.B/*'], ['allow POST /a.B/Get'])('/a.B/Put'), 'no-rule')
    t.equal(ask(['allow GRPC a.B/*'], ['allow POST /a.B/Get'])('/a.B/Get'), 'GRPC a.B/*')
    t.end()
  },
)

void t.test('of two destinations of a host, the one without such rules keeps its own', (t) => {
  const engine = new PolicyEngine(
    testPolicy({
      destinations: [
        destination('https://a.example', ['allow GRPC a.B/*'], { id: 'first' }),
        destination('https://a.example', ['allow POST /c.D/**'], { id: 'second' }),
      ],
    }),
  )
  const ask = (target: string) =>
    engine.evaluateRequest({
      agent: DEFAULT_AGENT,
      scheme: 'https',
      host: 'a.example',
      port: 443,
      method: 'POST',
      path: pathOf(target),
      contentType: 'application/grpc',
    })
  t.match(ask('/a.B/X'), { allowed: true, destination: { id: 'first' } })
  t.match(ask('/c.D/X'), { allowed: true, destination: { id: 'second' } })
  t.match(ask('/e.F/X'), { allowed: false, reason: 'no-rule' })
  t.end()
})
