import { METHODS } from 'node:http'
import t from 'tap'
import { isDiagnostic } from '../contracts/diagnostic.js'
import type { Rule } from '../contracts/rule.js'
import { http, httpAlternatives, isHttpRule, MAX_METHODS, parseMethods, type HttpMatch } from './http.js'
import { RULE_KINDS, RuleKinds } from './index.js'
import {
  isOverrideHeader,
  isOverrideName,
  LONGEST_OVERRIDE_NAME,
  overridingMethod,
} from './method-overrides.js'
import { parseRequestTarget } from './request-path.js'
import { isSteeringHeader } from './steering-headers.js'

function match(text: string): HttpMatch {
  const parsed = http.parse(text)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return parsed
}

/** The request as a server may take it; the first item is what it says itself. */
function alternatives(method: string, target: string, overrides: readonly string[] = []) {
  const path = parseRequestTarget(target)
  if (typeof path === 'string') throw new Error(path)
  return httpAlternatives(method, path, overrides)
}

const subject = (method: string, target: string) => {
  const [first] = alternatives(method, target)?.[0] ?? []
  if (first === undefined) throw new Error('no reading')
  return first
}

const allows = (rule: string, method: string, target: string) =>
  http.matches(match(rule), subject(method, target))
const denies = (rule: string, method: string, target: string) =>
  http.matchesLoosely?.(match(rule), subject(method, target)) ?? false

void t.test('which methods a rule allows, and which it denies', (t) => {
  for (const [rule, method, allowed, denied] of [
    ['* /**', 'GET', true, true],
    ['* /**', 'DELETE', true, true],
    ['* /**', 'TRACE', false, true],
    ['TRACE /**', 'TRACE', true, true],
    ['GET,TRACE /**', 'TRACE', true, true],
    ['GET /**', 'TRACE', false, false],
    ['GET /**', 'GET', true, true],
    ['GET /**', 'get', false, false],
    ['GET /**', 'HEAD', false, true],
    ['POST /**', 'HEAD', false, false],
    ['HEAD /**', 'HEAD', true, true],
    ['HEAD /**', 'GET', false, false],
    ['GET,HEAD /**', 'HEAD', true, true],
    ['POST,HEAD /**', 'HEAD', true, true],
    ['GET,POST /**', 'POST', true, true],
    ['GET,POST /**', 'PUT', false, false],
  ] as const) {
    t.equal(allows(rule, method, '/x'), allowed, `allow ${rule}: ${method}`)
    t.equal(denies(rule, method, '/x'), denied, `deny ${rule}: ${method}`)
  }
  t.end()
})

void t.test('which paths and parameters a rule allows, and which it denies', (t) => {
  for (const [rule, target, allowed, denied] of [
    ['GET /a', '/a', true, true],
    ['GET /a', '/A', false, true],
    ['GET /a', '/a/', false, true],
    ['GET /a', '/a.json', false, true],
    ['GET /a', '/b', false, false],
    ['GET /a', '/a/b', false, false],
    ['GET /a/**', '/a/b', true, true],
    ['GET /a/**', '/b/a', false, false],
    ['GET /**', '/', true, true],
    ['GET /**?acl', '/x', false, false],
    ['GET /**?acl', '/x?acl', true, true],
    ['GET /**?acl', '/x?acl=1', true, true],
    ['GET /**?acl', '/x?b=2&acl', true, true],
    ['GET /**?acl', '/x?ACL', false, true],
    ['GET /**?acl', '/x?b;acl', false, true],
    ['GET /**?acl', '/x?acl[]=1', false, true],
    ['GET /**?acl', '/x?acls', false, false],
    ['GET /a?acl', '/b?acl', false, false],
    ['POST /**?acl', '/x?acl', false, false],
  ] as const) {
    t.equal(allows(rule, 'GET', target), allowed, `allow ${rule}: ${target}`)
    t.equal(denies(rule, 'GET', target), denied, `deny ${rule}: ${target}`)
  }
  t.end()
})

void t.test('a path that may be any is one that only a rule for every path allows, and each denies', (t) => {
  const any = { ...subject('GET', '/a?acl'), path: null }
  for (const [rule, allowed] of [
    ['GET /**', true],
    ['* /**', true],
    ['GET /**?acl', true],
    ['GET /a/**', false],
    ['GET /*', false],
    ['GET /', false],
    ['POST /**', false],
  ] as const)
    t.equal(http.matches(match(rule), any), allowed, rule)
  for (const rule of ['GET /**', 'GET /b', 'GET /b/**', '* /c/d?acl'])
    t.equal(http.matchesLoosely?.(match(rule), any), true, rule)
  for (const rule of ['POST /b', 'GET /b?other'])
    t.equal(http.matchesLoosely?.(match(rule), any), false, rule)
  t.end()
})

void t.test('everything that a server may take a request for', (t) => {
  const methods = (method: string, target: string, overrides: readonly string[] = []) =>
    alternatives(method, target, overrides)?.map((readings) => readings[0]?.method) ?? null
  t.strictSame(methods('POST', '/x'), ['POST'])
  t.strictSame(methods('POST', '/x', ['DELETE']), ['POST', 'DELETE'])
  t.strictSame(methods('POST', '/x?_method=PUT', ['DELETE', 'POST']), ['POST', 'DELETE', 'PUT'])
  const named = ['A', 'B', 'C', 'D', 'E', 'F', 'G']
  t.equal(MAX_METHODS, 8)
  t.strictSame(methods('GET', '/x', named)?.length, 8)
  t.equal(methods('GET', '/x', [...named, 'H']), null)
  const paths = (target: string) => alternatives('GET', target)?.[0]?.map(({ path }) => path)
  t.strictSame(paths('/x'), ['/x'])
  t.ok((paths('/a%2Fb')?.length ?? 0) > 1, 'each reading of the path')
  t.equal(paths('/a%252Fb')?.at(-1), null, 'what is encoded twice may be any path')
  t.notOk(paths('/a%2Fb')?.includes(null))
  for (const readings of alternatives('GET', '/a%2Fb?k=v', ['PUT']) ?? []) {
    t.equal(readings.length, paths('/a%2Fb')?.length, 'and that for each method')
    for (const { parameters } of readings) t.ok(parameters.has('k') && !parameters.has('v'))
  }
  t.end()
})

void t.test('a match names a reading where it has an escaped slash', (t) => {
  t.equal(http.namesReading?.(match('GET /projects/acme%2Fapp')), true)
  t.equal(http.namesReading?.(match('GET /projects/acme/app')), false)
  t.equal(http.namesReading?.(match('GET /**')), false)
  t.end()
})

void t.test('what is no rule, and how to fix it', (t) => {
  for (const [text, problem, fix] of [
    ['GET', /Invalid rule `GET`: expected methods, a space and a path/, /Write `GET,HEAD \/path/],
    ['/path', /Invalid rule/, /Write/],
    ['GET /a /b', /Invalid rule/, /Write/],
    ['', /Invalid rule/, /Write/],
    ['G$T /a', /Invalid rule/, /Write/],
    ['**,GET /a', /Unknown HTTP method `\*\*`/, /./],
    ['GET,* /a', /Unknown HTTP method `\*`/, /./],
    ['GET,GET /a', /Duplicate method `GET`/, /List each method once/],
    ['get /a', /Unknown HTTP method `get`/, /Write `GET`: methods are upper case/],
    [
      'CONNECT /a',
      /Unknown HTTP method `CONNECT`/,
      /Remove it: CONNECT is allowed or denied by host and port/,
    ],
    ['connect /a', /Unknown HTTP method `connect`/, /Remove it/],
    ['DELET /a', /Unknown HTTP method `DELET`/, /^Write `DELETE`$/],
    ['PATHC /a', /Unknown HTTP method `PATHC`/, /^Write `PATCH`$/],
    ['OPTION /a', /Unknown HTTP method/, /^Write `OPTIONS`$/],
    ['QQQQQQQQQ /a', /Unknown HTTP method/, /Write a method such as `GET`/],
    ['GET a', /./, /./],
    ['GET /a?', /Invalid query in rule `GET \/a\?`/, /Write `\?name` behind the path/],
    ['GET /a?b=c', /Invalid query/, /Write/],
    ['GET /a?b&c', /Invalid query/, /Write/],
    ['GET /a?b?c', /Invalid query/, /Write/],
  ] as const) {
    const parsed = http.parse(text)
    if (!isDiagnostic(parsed)) t.fail(`${text} is a rule`)
    else t.match(parsed, { problem, fix }, text)
  }
  for (const text of ['GET /a', ' GET /a ', 'GET\t/a', '* /**', 'M-SEARCH /a', 'GET /a?b.c-d_e~1'])
    t.notOk(isDiagnostic(http.parse(text)), text)
  t.strictSame(match('GET,PUT /a?acl'), { ...match('GET,PUT /a'), parameter: 'acl' })
  t.equal(match('GET /a').parameter, null)
  t.equal(match('* /a').methods, null)
  for (const method of METHODS)
    t.equal(isDiagnostic(parseMethods([method]) as never), method === 'CONNECT', method)
  t.end()
})

void t.test('which rules leave nothing to a later one', (t) => {
  const covers = (earlier: readonly string[], later: string) => http.covers(earlier.map(match), match(later))
  for (const [earlier, later, by] of [
    [['* /**'], 'GET /a', [0]],
    [['GET /**'], 'GET /a', [0]],
    [['GET /a'], 'GET /**', null],
    [['GET /**'], '* /a', null],
    [['GET /**'], 'GET,POST /a', null],
    [['GET /**', 'POST /**'], 'GET,POST /a', [0, 1]],
    [['GET,POST /**'], 'GET,POST /a', [0]],
    [['GET /b', '* /**'], 'GET /a', [1]],
    [['GET /**', '* /**'], 'GET /a', [1]],
    [['GET /**?acl'], 'GET /a', null],
    [['GET /**?acl'], 'GET /a?acl', [0]],
    [['GET /**?acl'], 'GET /a?tag', null],
    [['GET /**'], 'GET /a?acl', [0]],
    [[], 'GET /a', null],
  ] as const)
    t.strictSame(covers(earlier, later), by, `${earlier.join(' | ')} before ${later}`)
  for (const [a, b, both] of [
    ['GET /a', 'GET /a', true],
    ['GET /a', 'POST /a', false],
    ['GET,POST /a', 'POST,PUT /a', true],
    ['* /a', 'POST /a', true],
    ['POST /a', '* /a', true],
    ['* /a', '* /b', false],
    ['GET /a/**', 'GET /a/b', true],
  ] as const)
    t.equal(http.overlaps(match(a), match(b)), both, `${a} and ${b}`)
  t.end()
})

const rule = (text: string, effect: Rule['effect'] = 'allow'): Rule => {
  const parsed = RULE_KINDS.parse(text)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return { effect, ...parsed, text, id: text }
}

void t.test('rules below a path, and in English', (t) => {
  const below = RULE_KINDS.below(rule('GET /a/**?acl'), '/jira')
  t.ok(http.matches(below.match as HttpMatch, subject('GET', '/jira/a/b?acl')))
  for (const [method, target] of [
    ['GET', '/a/b?acl'],
    ['PUT', '/jira/a/b?acl'],
    ['GET', '/jira/a/b'],
  ] as const)
    t.notOk(http.matches(below.match as HttpMatch, subject(method, target)), `${method} ${target}`)
  t.strictSame(RULE_KINDS.below(rule('GET /a'), '').match, match('GET /a'))
  t.match(below, { id: 'GET /a/**?acl', effect: 'allow', text: 'GET /a/**?acl', kind: 'http' })
  for (const [text, effect, words] of [
    ['GET /a', 'allow', 'may use GET on /a'],
    ['GET,PUT /a/**', 'allow', 'may use GET, PUT on /a and everything below it'],
    ['* /**', 'deny', 'may not use any method on any path'],
    ['PUT /**?acl', 'ask', 'may, if a person approves, use PUT on any path, with the query parameter `acl`'],
  ] as const)
    t.equal(RULE_KINDS.explain(rule(text, effect)), words)
  t.ok(isHttpRule(rule('GET /a')))
  t.notOk(isHttpRule({ ...rule('GET /a'), kind: 'other' }))
  t.strictSame(RULE_KINDS.shadowedBy(rule('GET /a'), [rule('* /**')])?.length, 1)
  t.strictSame(RULE_KINDS.shadowedBy(rule('GET /a'), [{ ...rule('* /**'), kind: 'other' }]), null)
  t.equal(RULE_KINDS.overlaps(rule('GET /a'), rule('* /**')), true)
  t.equal(RULE_KINDS.overlaps(rule('GET /a'), { ...rule('* /**'), kind: 'other' }), false)
  t.throws(() => RULE_KINDS.named('other'), /unknown rule kind other/)
  const keyed = new RuleKinds([
    { ...http, name: 'b', keyword: 'B' },
    { ...http, name: 'c', keyword: 'C' },
  ])
  t.strictSame(keyed.parse('GET /a'), { problem: 'Unknown rule `GET /a`', fix: 'Begin it with `B` or `C`' })
  t.end()
})

void t.test('which headers and parameters name another method', (t) => {
  for (const name of [
    'x-http-method-override',
    'x-http-method',
    'x-method-override',
    'x_http_method_override',
  ])
    t.ok(isOverrideHeader(name), name)
  for (const name of ['method', 'http-method-override', 'x-http-methods', 'x-override', 'x-method-over'])
    t.notOk(isOverrideHeader(name), name)
  for (const name of [
    '_method',
    'method',
    '_METHOD',
    ' _method',
    '.method',
    '[method',
    '_method[]',
    '_method[x]',
    '_method\0x',
    '_http_method',
    'httpMethod',
    'httpMethodOverride',
    'methodOverride',
    'X-HTTP-Method-Override',
    'x-http-method',
    'X-Method-Override',
  ])
    t.ok(isOverrideName(name), JSON.stringify(name))
  for (const name of ['methods', 'mymethod', '_methodx', 'x', '', '[]', 'a[method]', '\0_method'])
    t.notOk(isOverrideName(name), JSON.stringify(name))
  t.equal(LONGEST_OVERRIDE_NAME, 'xhttpmethodoverride'.length)
  for (const [name, value, method] of [
    ['_method', 'DELETE', 'DELETE'],
    ['_method', 'delete', 'DELETE'],
    ['_method', ' delete ', 'DELETE'],
    ['_method', 'delete\0x\n', 'DELETE'],
    ['_method', 'FROB', 'FROB'],
    ['_method', 'm-search', 'M-SEARCH'],
    ['_method', 'A_B', 'A_B'],
    ['method', 'DELETE', 'DELETE'],
    ['method', 'frob', null],
    ['Method', 'frob', null],
    [' method', 'frob', null],
    ['methodOverride', 'frob', null],
    ['_method', '', null],
    ['_method', '1', null],
    ['_method', 'a b', null],
    ['_method', '-a', null],
  ] as const)
    t.equal(overridingMethod(name, value), method, `${name}=${JSON.stringify(value)}`)
  t.end()
})

void t.test('which headers steer a server', (t) => {
  for (const name of [
    ...[
      'base-url',
      'cf-connecting-ip',
      'client-ip',
      'fastly-client-ip',
      'forwarded',
      'front-end-https',
      'http-url',
    ],
    ...['proxy-host', 'proxy-url', 'redirect', 'request-uri', 'true-client-ip', 'uri', 'url', 'x-amz-acl'],
    ...[
      'x-client-ip',
      'x-cluster-client-ip',
      'x-custom-ip-authorization',
      'x-forward-for',
      'x-forwarder-for',
    ],
    ...['x-goog-acl', 'x-host', 'x-http-destinationurl', 'x-http-host-override', 'x-http-path-override'],
    ...[
      'x-http-url-override',
      'x-matched-path',
      'x-now-route-matches',
      'x-original-host',
      'x-originating-ip',
    ],
    ...['x-proxy-url', 'x-proxyuser-ip', 'x-real-ip', 'x-real-url', 'x-remote-addr', 'x-remote-ip'],
    ...['x-request-uri', 'x-scheme', 'x-server-name', 'x-url', 'x-url-scheme', 'x-wap-profile'],
    ...['forwarded-for', 'x-amz-grant-read', 'x-envoy-original-path', 'x-forwarded', 'x-forwarded-host'],
    ...['x-invoke-path', 'x-middleware-subrequest', 'x-original-url', 'x-original-uri', 'x-rewrite-url'],
  ])
    t.ok(isSteeringHeader(name), name)
  for (const name of [
    'host',
    'accept',
    'x-amz-date',
    'x-request-id',
    'my-x-forwarded-for',
    'authorization',
    'x-ur',
  ])
    t.notOk(isSteeringHeader(name), name)
  t.end()
})
