import fc from 'fast-check'
import t from 'tap'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { growth } from '#test/fixtures/growth.js'
import { describeDestination, describeRule } from './describe.js'
import { PolicyEngine } from './policy-engine.js'
import { DEFAULT_AGENT } from '../contracts/identity.js'
import type { Agent, Destination, Policy } from '../contracts/policy.js'
import type { Rule } from '../contracts/rule.js'
import { http } from '../rules/http.js'
import { RuleKinds } from '../rules/index.js'
import { parseRequestTarget } from '../rules/request-path.js'
import type { RuleKind } from '../rules/rule-kind.js'

function policy(destinations: readonly Destination[], agents: readonly Agent[] = []): Policy {
  const made = testPolicy({ destinations })
  return {
    ...made,
    agents: new Map([...made.agents, ...agents.map((agent) => [agent.name, agent] as const)]),
  }
}

const policyEngineOf = (...destinations: readonly Destination[]) => new PolicyEngine(policy(destinations))

interface AskOptions {
  readonly agent?: string
  readonly service?: string
  readonly overrides?: readonly string[]
}

function ask(
  policyEngine: PolicyEngine,
  method: string,
  url: string,
  { agent = DEFAULT_AGENT, service = '', overrides }: AskOptions = {},
) {
  const [, scheme, host = '', port, target = ''] = /^(https?):\/\/([^:/]+)(?::(\d+))?(.*)$/.exec(url) ?? []
  const path = parseRequestTarget(target)
  if (typeof path === 'string') throw new Error(path)
  return policyEngine.evaluateRequest({
    agent,
    scheme: scheme === 'http' ? 'http' : 'https',
    host,
    port: port === undefined ? (scheme === 'http' ? 80 : 443) : Number(port),
    method,
    path,
    ...(service === '' ? {} : { service }),
    ...(overrides === undefined ? {} : { overrides }),
  })
}

function verdict(policyEngine: PolicyEngine, method: string, url: string, options = {}): string {
  const answer = ask(policyEngine, method, url, options)
  return answer.allowed ? answer.rule.id : answer.reason
}

void t.test('an empty policy allows nothing', (t) => {
  const policyEngine = policyEngineOf()
  t.strictSame(policyEngine.evaluateName(DEFAULT_AGENT, 'a.example'), {
    allowed: false,
    reason: 'host-not-listed',
    rule: null,
  })
  t.equal(verdict(policyEngine, 'GET', 'https://a.example/'), 'host-not-listed')
  t.end()
})

void t.test('an exact name hides a wildcard, a near suffix a far one', (t) => {
  const policyEngine = policyEngineOf(
    destination('https://**.example.com', ['allow * /far'], { id: 'far' }),
    destination('https://*.b.example.com', ['allow * /near'], { id: 'near' }),
    destination('https://a.b.example.com', ['allow * /exact'], { id: 'exact' }),
  )
  for (const [host, rule, wildcard] of [
    ['a.b.example.com', 'exact', null],
    ['c.b.example.com', 'near', { text: '*.b.example.com', wildcardLabels: ['c'], limits: null }],
    ['b.example.com', 'far', { text: '**.example.com', wildcardLabels: ['b'], limits: null }],
    ['x.c.b.example.com', 'far', { text: '**.example.com', wildcardLabels: ['x', 'c', 'b'], limits: null }],
  ] as const)
    t.strictSame(policyEngine.evaluateName(DEFAULT_AGENT, host), { allowed: true, rule, wildcard }, host)
  for (const host of ['example.com', 'com', 'xexample.com', 'example.com.evil.test', ''])
    t.match(policyEngine.evaluateName(DEFAULT_AGENT, host), { allowed: false }, host)
  t.equal(verdict(policyEngine, 'GET', 'https://a.b.example.com/exact'), 'exact.rules[0]')
  t.equal(
    verdict(policyEngine, 'GET', 'https://a.b.example.com/near'),
    'no-rule',
    'what is hidden allows nothing',
  )
  t.end()
})

void t.test('scheme and port', (t) => {
  const policyEngine = policyEngineOf(
    destination('https://a.example', ['allow * /**'], { id: 's' }),
    destination('http://a.example:8080', ['allow * /**'], { id: 'p' }),
  )
  t.equal(verdict(policyEngine, 'GET', 'https://a.example/'), 's.rules[0]')
  t.equal(verdict(policyEngine, 'GET', 'http://a.example:8080/'), 'p.rules[0]')
  for (const url of [
    'http://a.example/',
    'https://a.example:8080/',
    'https://a.example:444/',
    'http://a.example:443/',
  ])
    t.strictSame(ask(policyEngine, 'GET', url), { allowed: false, reason: 'port-not-listed', rule: 's' }, url)
  t.end()
})

void t.test('the first rule that matches decides', (t) => {
  const policyEngine = policyEngineOf(
    destination(
      'https://a.example',
      ['deny * /a/secret/**', 'allow GET,HEAD /a/**', 'allow POST /a/new', 'deny * /**'],
      {
        id: 'd',
      },
    ),
    destination('https://a.example', ['allow * /**'], { id: 'later' }),
  )
  for (const [method, path, expected] of [
    ['GET', '/a/x', 'd.rules[1]'],
    ['HEAD', '/a', 'd.rules[1]'],
    ['POST', '/a/new', 'd.rules[2]'],
    ['POST', '/a/x', 'denied-by-rule'],
    ['GET', '/a/secret', 'denied-by-rule'],
    ['GET', '/a/secret/x', 'denied-by-rule'],
    ['get', '/a/x', 'denied-by-rule'],
    ['GET', '/b', 'denied-by-rule'],
  ] as const)
    t.equal(verdict(policyEngine, method, `https://a.example${path}`), expected, `${method} ${path}`)
  t.strictSame(ask(policyEngine, 'GET', 'https://a.example/b'), {
    allowed: false,
    reason: 'denied-by-rule',
    rule: 'd.rules[3]',
  })
  t.end()
})

void t.test('a method that no rule lists', (t) => {
  const policyEngine = policyEngineOf(destination('https://a.example', ['allow GET /**'], { id: 'd' }))
  t.strictSame(ask(policyEngine, 'DELETE', 'https://a.example/'), {
    allowed: false,
    reason: 'no-rule',
    rule: 'd',
  })
  t.end()
})

void t.test('what servers may read in two ways must get one answer', (t) => {
  const policyEngine = policyEngineOf(
    destination('https://a.example', ['deny * /admin/**', 'allow GET /pkg/*', 'allow POST /any/**'], {
      id: 'd',
    }),
    destination('https://open.example', ['deny * /admin/**', 'allow * /**'], { id: 'o' }),
    destination('https://npm.example', ['allow GET /**'], { id: 'npm' }),
  )
  t.equal(verdict(policyEngine, 'GET', 'https://npm.example/@scope%2fpkg'), 'npm.rules[0]', 'npm scopes pass')
  t.equal(verdict(policyEngine, 'GET', 'https://npm.example//a'), 'npm.rules[0]')
  t.equal(verdict(policyEngine, 'GET', 'https://a.example/pkg/a'), 'd.rules[1]')
  for (const path of ['/pkg/a%2fb', '/pkg%2Fa', '//pkg/a', '/pkg//a', '/pkg/a;x=1%2Fb'])
    t.equal(verdict(policyEngine, 'GET', `https://a.example${path}`), 'ambiguous-path', path)
  t.equal(verdict(policyEngine, 'POST', 'https://a.example/any/a%2Fb//c'), 'd.rules[2]')
  for (const path of [
    '//admin/x',
    '/%2Fadmin/x',
    '/admin%2Fx',
    '/admin%2F',
    '/admin;a=b/x',
    '/admin;/x',
    '/;/admin/x',
    '/admin%3Bx/y',
  ])
    t.equal(verdict(policyEngine, 'GET', `https://open.example${path}`), 'denied-by-rule', path)
  t.equal(verdict(policyEngine, 'GET', 'https://open.example/admin/x'), 'denied-by-rule')
  t.equal(
    verdict(policyEngine, 'GET', 'https://open.example/other;a=b/x'),
    'o.rules[1]',
    'the control passes',
  )
  t.end()
})

void t.test('a rule that names `%2F` says how the server reads a path', (t) => {
  const rules = [
    'deny * /projects/*/variables/**',
    'allow POST /projects/acme%2Fapp/issues',
    'allow GET /projects/*%2F*/issues',
    'allow GET /projects/*/labels',
  ]
  const policyEngine = policyEngineOf(destination('https://a.example', rules, { id: 'd' }))
  for (const [request, expected] of [
    ['POST /projects/acme%2Fapp/issues', 'd.rules[1]'],
    ['POST /projects/acme%2fapp/issues', 'd.rules[1]'],
    ['GET /projects/any%2Fsub%2Fapp/issues', 'd.rules[2]'],
    ['GET /projects/7/labels', 'd.rules[3]'],
    ['POST /projects/acme/app/issues', 'no-rule'],
    ['POST /projects/acme%2Fother/issues', 'no-rule'],
    ['POST /projects/acme%2Fapp%2Fissues', 'no-rule'],
    ['GET /projects/acme%2Fapp/labels', 'ambiguous-path'],
    ['GET /projects/7%2Fvariables/issues', 'denied-by-rule'],
  ] as const) {
    const [method = '', path = ''] = request.split(' ')
    t.equal(verdict(policyEngine, method, `https://a.example${path}`), expected, request)
  }
  t.end()
})

void t.test('agents see what is theirs', (t) => {
  const policyEngine = new PolicyEngine(
    policy(
      [
        destination('https://jira.example', ['allow * /**'], { id: 'services.jira', service: 'jira' }),
        destination('https://git.example', ['allow * /**'], { id: 'services.git', service: 'git' }),
        destination('https://docs.example', ['allow * /**'], { id: 'allow[0]' }),
        destination('https://pypi.example', ['allow * /**'], { id: 'allow[1]' }),
      ],
      [
        { name: 'one', services: ['jira'], allow: ['allow[1]'] },
        { name: 'none', services: [], allow: [] },
      ],
    ),
  )
  const seen = (agent: string) =>
    ['jira', 'git', 'docs', 'pypi'].filter(
      (name) => policyEngine.evaluateName(agent, `${name}.example`).allowed,
    )
  t.strictSame(seen(DEFAULT_AGENT), ['jira', 'git', 'docs', 'pypi'])
  t.strictSame(seen('one'), ['jira', 'pypi'])
  t.strictSame(seen('none'), [])
  for (const stranger of ['', 'other', 'constructor', '__proto__', 'toString'])
    t.strictSame(seen(stranger), [])
  t.equal(verdict(policyEngine, 'GET', 'https://git.example/', { agent: 'one' }), 'host-not-listed')
  t.end()
})

void t.test('the most specific host decides, also for an agent that may not use it', (t) => {
  const policyEngine = new PolicyEngine(
    policy(
      [
        destination('https://a.b.example', ['allow * /**'], { id: 'services.a', service: 'a' }),
        destination('http://only.b.example:8080', ['allow * /**'], { id: 'services.p', service: 'p' }),
        destination('https://*.n.b.example', ['allow * /**'], { id: 'services.n', service: 'n' }),
        destination('https://**.b.example', ['allow * /**'], { id: 'allow[0]' }),
      ],
      [{ name: 'one', services: [], allow: ['allow[0]'] }],
    ),
  )
  for (const host of ['a.b.example', 'only.b.example', 'x.n.b.example']) {
    const denied = { allowed: false, reason: 'host-not-listed' }
    t.match(policyEngine.evaluateName('one', host), denied, host)
    t.match(policyEngine.evaluateAuthority({ agent: 'one', scheme: 'https', host, port: 443 }), denied, host)
    t.equal(verdict(policyEngine, 'GET', `https://${host}/x`, { agent: 'one' }), 'host-not-listed', host)
  }
  t.match(policyEngine.evaluateName('one', 'other.b.example'), { allowed: true, rule: 'allow[0]' })
  t.match(policyEngine.evaluateName('one', 'x.y.b.example'), { allowed: true, rule: 'allow[0]' })
  t.match(policyEngine.evaluateName(DEFAULT_AGENT, 'a.b.example'), { allowed: true, rule: 'services.a' })
  t.end()
})

void t.test('the base-URL listener sees one service; a tunnel takes no request', (t) => {
  const policyEngine = policyEngineOf(
    destination('https://a.example', ['allow * /one'], { id: 'services.one', service: 'one' }),
    destination('https://a.example', ['allow * /two'], { id: 'services.two', service: 'two' }),
    destination('https://t.example', [], { id: 'allow[0]', mode: 'tunnel' }),
  )
  t.equal(verdict(policyEngine, 'GET', 'https://a.example/two'), 'services.two.rules[0]')
  t.equal(verdict(policyEngine, 'GET', 'https://a.example/two', { service: 'one' }), 'no-rule')
  t.equal(verdict(policyEngine, 'GET', 'https://a.example/one', { service: 'one' }), 'services.one.rules[0]')
  t.strictSame(ask(policyEngine, 'GET', 'https://t.example/'), {
    allowed: false,
    reason: 'tunnel-only',
    rule: 'allow[0]',
  })
  t.match(
    policyEngine.evaluateAuthority({ agent: DEFAULT_AGENT, scheme: 'https', host: 't.example', port: 443 }),
    {
      allowed: true,
      destinations: [{ id: 'allow[0]' }],
    },
  )
  t.end()
})

void t.test('the answer is that of a policy engine that looks at every rule', (t) => {
  const hosts = ['a.example.com', 'b.example.com', 'c.b.example.com', 'example.com', 'd.c.b.example.com']
  const patterns = [...hosts, '*.example.com', '**.example.com', '*.b.example.com', '**.b.example.com']
  const chosen = fc.uniqueArray(fc.constantFrom(...patterns), { maxLength: 5 })
  fc.assert(
    fc.property(chosen, fc.constantFrom(...hosts), (texts, host) => {
      const policyEngine = policyEngineOf(
        ...texts.map((text) => destination(`https://${text}`, [], { id: text })),
      )
      const matches = (text: string) => {
        const rest = text.replace(/^\*\*?\./, '')
        if (rest === text) return host === text
        const open = host.endsWith(`.${rest}`) ? host.slice(0, -rest.length - 1).split('.').length : 0
        return text.startsWith('**') ? open > 0 : open === 1
      }
      const length = (text: string) => (text.includes('*') ? text.replace(/^\*\*?\./, '').length : 1_000)
      const best = Math.max(0, ...texts.filter(matches).map(length))
      const answer = policyEngine.evaluateName(DEFAULT_AGENT, host)
      return answer.allowed ? matches(answer.rule) && length(answer.rule) === best : best === 0
    }),
  )
  t.end()
})

void t.test('asking takes time by the labels of the name, not by the number of rules', (t) => {
  const make = (count: number) =>
    policyEngineOf(
      ...Array.from({ length: count }, (_, i) => [
        destination(`https://h${i}.example.com`, ['allow * /**'], { id: `e${i}` }),
        destination(`https://*.w${i}.example.com`, ['allow * /**'], { id: `w${i}` }),
      ]).flat(),
    )
  const [small, large] = [make(10), make(5_000)]
  const names = ['h5.example.com', 'x.w5.example.com', 'nobody.example.com', `${'a.'.repeat(100)}com`]
  const ask = (policyEngine: PolicyEngine) => () => {
    for (const name of names) policyEngine.evaluateName(DEFAULT_AGENT, name)
  }
  const times = growth(ask(small), ask(large))
  t.ok(times < 8, `${times.toFixed(1)} times as long with 10,000 rules as with 20`)
  t.end()
})

void t.test('rules and destinations in plain words', (t) => {
  const made = destination(
    'https://*.a.example:8443',
    ['allow GET,POST /rest/**', 'deny * /x/*', 'allow * /**'],
    { id: 'd' },
  )
  t.strictSame(made.rules.map(describeRule), [
    'may use GET, POST on /rest and everything below it',
    'may not use any method on /x/*',
    'may use any method on any path',
  ])
  t.equal(describeDestination(made), 'https://*.a.example:8443')
  t.equal(describeDestination({ ...made, ports: [443] }), 'https://*.a.example')
  t.equal(
    describeDestination({ ...made, ports: [443, 8443], mode: 'tunnel' }),
    'https on ports 443, 8443 of *.a.example (TLS tunnel, not inspected)',
  )
  t.end()
})

void t.test('an agent may do what the service allows and its own rules allow', (t) => {
  const api = destination('https://api.example', ['deny * /secret/**', 'allow GET,POST /**'], {
    id: 'services.api',
    service: 'api',
  })
  const narrow = destination('https://api.example', ['deny GET /issue/7', 'allow GET /issue/**'], {
    id: 'agents.ci.rules.api',
  }).rules
  const agents = ['ci', 'open'].map((name) => ({ name, services: null, allow: null }))
  const policyEngine = new PolicyEngine(policy([{ ...api, agentRules: { ci: narrow } }], agents))
  for (const [method, path, ci, open] of [
    ['GET', '/issue/1', 'services.api.rules[1]', 'services.api.rules[1]'],
    ['GET', '/issue/7', 'denied-by-rule', 'services.api.rules[1]'],
    ['POST', '/issue/1', 'no-rule', 'services.api.rules[1]'],
    ['GET', '/other', 'no-rule', 'services.api.rules[1]'],
    ['GET', '/secret/x', 'denied-by-rule', 'denied-by-rule'],
    // Read as `/issue/7` by some servers.
    ['GET', '/issue//7', 'denied-by-rule', 'services.api.rules[1]'],
  ] as const) {
    t.equal(
      verdict(policyEngine, method, `https://api.example${path}`, { agent: 'ci' }),
      ci,
      `ci ${method} ${path}`,
    )
    t.equal(verdict(policyEngine, method, `https://api.example${path}`, { agent: 'open' }), open)
  }
  t.match(ask(policyEngine, 'GET', 'https://api.example/issue/1', { agent: 'ci' }), {
    agentRule: { id: 'agents.ci.rules.api.rules[1]' },
  })
  t.match(ask(policyEngine, 'POST', 'https://api.example/issue/1', { agent: 'ci' }), {
    rule: 'agents.ci.rules.api',
  })
  t.equal(
    verdict(policyEngine, 'POST', 'https://api.example/issue/1?_method=GET', { agent: 'ci' }),
    'no-rule',
  )
  t.end()
})

void t.test('a path that is encoded twice may be any path: only rules for every path allow it', (t) => {
  const path = 'https://a.example/job/feature%252Flogin'
  const of = (...rules: string[]) => policyEngineOf(destination('https://a.example', rules, { id: 'a' }))
  for (const [rules, method, expected] of [
    [['allow * /**'], 'GET', 'a.rules[0]'],
    [['allow GET /**'], 'GET', 'a.rules[0]'],
    [['deny DELETE /job/**', 'allow * /**'], 'GET', 'a.rules[1]'],
    [['deny DELETE /job/**', 'allow * /**'], 'DELETE', 'denied-by-rule'],
    // A deny rule elsewhere: what the path stands for may be there.
    [['deny GET /admin/**', 'allow * /**'], 'GET', 'denied-by-rule'],
    [['deny GET /admin', 'allow * /**'], 'HEAD', 'denied-by-rule'],
    // Rules for some paths, wide as they may be.
    [['allow GET /job/**'], 'GET', 'ambiguous-path'],
    [['allow GET /*/*'], 'GET', 'ambiguous-path'],
    [['allow GET /job/**', 'allow GET /**'], 'GET', 'ambiguous-path'],
    [['allow GET /other/**', 'allow GET /**'], 'GET', 'a.rules[1]'],
    [['allow GET /other'], 'GET', 'no-rule'],
  ] as const)
    t.equal(verdict(of(...rules), method, path), expected, `${method}: ${rules.join(', ')}`)
  t.equal(verdict(of('allow GET /job/**'), 'GET', 'https://a.example/job/x'), 'a.rules[0]', 'the control')
  t.end()
})

void t.test(
  'a deny rule holds for each spelling that a server could take for it, an allow rule for its own',
  (t) => {
    const engine = policyEngineOf(
      destination('https://a.example', ['deny GET /api/admin', 'deny DELETE /**', 'allow * /**'], {
        id: 'd',
      }),
      destination('https://b.example', ['allow GET /api/admin'], { id: 'b' }),
    )
    for (const path of [
      '/api/admin',
      '/api/Admin',
      '/api/admin/',
      '/api/admin.json',
      '/api/admin;x=1',
      '/API/%61dmin',
    ]) {
      t.equal(verdict(engine, 'GET', `https://a.example${path}`), 'denied-by-rule', path)
      t.equal(verdict(engine, 'HEAD', `https://a.example${path}`), 'denied-by-rule', `HEAD ${path}`)
      if (path === '/api/admin') t.equal(verdict(engine, 'GET', `https://b.example${path}`), 'b.rules[0]')
      else t.match(ask(engine, 'GET', `https://b.example${path}`), { allowed: false }, path)
    }
    t.equal(verdict(engine, 'GET', 'https://a.example/api/administrators'), 'd.rules[2]', 'the control')
    t.end()
  },
)

void t.test('each method that a request names is checked like its own, in whatever order', (t) => {
  const engine = policyEngineOf(
    destination('https://a.example', ['allow GET,POST /**', 'deny DELETE /x'], { id: 'd' }),
  )
  const url = 'https://a.example/x'
  for (const [overrides, outcome] of [
    [[], 'd.rules[0]'],
    [['POST'], 'd.rules[0]'],
    [['DELETE'], 'denied-by-rule'],
    [['POST', 'DELETE'], 'denied-by-rule'],
    [['DELETE', 'POST'], 'denied-by-rule'],
    [['PUT'], 'no-rule'],
    [['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'], 'head-too-complex'],
  ] as const)
    t.equal(verdict(engine, 'GET', url, { overrides }), outcome, overrides.join())
  t.equal(verdict(engine, 'GET', `${url}?_method=DELETE`), 'denied-by-rule')
  t.strictSame(ask(engine, 'GET', url, { overrides: Array.from({ length: 9 }, (_, i) => `M${String(i)}`) }), {
    allowed: false,
    reason: 'head-too-complex',
    rule: null,
  })
  t.end()
})

void t.test('what is allowed names its rule and its service, what is denied its place', (t) => {
  const made = testPolicy({
    destinations: [
      destination('https://a.example', ['allow GET /**'], { id: 's', service: 'api' }),
      destination('https://b.example', ['allow GET /**'], { id: 'allow[0]' }),
      destination('https://t.example', [], { id: 'tunnel', mode: 'tunnel' }),
    ],
    services: [service('api', 'https://a.example', null), service('', 'https://z.example', null)],
  })
  const engine = new PolicyEngine(made)
  const [own, listed, tunnel] = made.destinations
  t.strictSame(ask(engine, 'GET', 'https://a.example/x'), {
    allowed: true,
    destination: own,
    rule: own?.rules[0],
    agentRule: null,
    service: made.services.get('api'),
  })
  t.match(ask(engine, 'GET', 'https://b.example/x'), {
    allowed: true,
    destination: listed,
    rule: listed?.rules[0],
  })
  t.strictSame(ask(engine, 'PUT', 'https://a.example/x'), { allowed: false, reason: 'no-rule', rule: 's' })
  t.strictSame(ask(engine, 'GET', 'https://t.example/'), {
    allowed: false,
    reason: 'tunnel-only',
    rule: tunnel?.id,
  })
  t.strictSame(ask(engine, 'GET', 'https://c.example/'), {
    allowed: false,
    reason: 'host-not-listed',
    rule: null,
  })
  t.end()
})

/** A protocol whose subjects are words, read in one or several ways. */
const words: RuleKind<string, string> = {
  name: 'words',
  keyword: 'SAY',
  parse: (text) => text,
  matches: (match, subject) => match === '*' || match === subject || match === `!${subject}`,
  namesReading: (match) => match.startsWith('!'),
  covers: () => null,
  overlaps: () => true,
  below: (match) => match,
  explain: (match) => match,
}

void t.test('readings of one request: a deny rule needs one of them, an allow rule all', (t) => {
  const rule = (effect: Rule['effect'], match: string, index: number, kind = 'words'): Rule => ({
    effect,
    kind,
    match,
    text: match,
    id: `r${String(index)}`,
  })
  const check = (
    rules: readonly (readonly [Rule['effect'], string, string?])[],
    readings: readonly (readonly string[])[],
    { later = [] as readonly Rule[] } = {},
  ) => {
    const place = {
      ...destination('https://w.example', [], { id: 'first' }),
      rules: rules.map(([effect, match, kind], index) => rule(effect, match, index, kind)),
    }
    const engine = new PolicyEngine(
      policy([place, { ...place, id: 'second', rules: later }]),
      new RuleKinds([http, words]),
    )
    const input = {
      agent: DEFAULT_AGENT,
      scheme: 'https',
      host: 'w.example',
      port: 443,
      kind: 'words',
    } as const
    const answer = engine.evaluate({ ...input, alternatives: readings })
    return answer.allowed ? answer.rule.id : answer.reason
  }
  for (const [rules, readings, outcome] of [
    [[['allow', 'a']], [['a']], 'r0'],
    [[['allow', 'a']], [['a', 'b']], 'ambiguous-path'],
    [[['allow', 'a']], [['b', 'a']], 'ambiguous-path'],
    [[['allow', 'a']], [['b']], 'no-rule'],
    [
      [
        ['allow', 'a'],
        ['allow', 'b'],
      ],
      [['a', 'b']],
      'ambiguous-path',
    ],
    [[['allow', '*']], [['a', 'b']], 'r0'],
    [
      [
        ['deny', 'a'],
        ['allow', '*'],
      ],
      [['a', 'b']],
      'denied-by-rule',
    ],
    [
      [
        ['deny', 'b'],
        ['allow', '*'],
      ],
      [['a', 'b']],
      'denied-by-rule',
    ],
    [
      [
        ['deny', 'c'],
        ['allow', '*'],
      ],
      [['a', 'b']],
      'r1',
    ],
    [
      [
        ['ask', 'b'],
        ['allow', '*'],
      ],
      [['a', 'b']],
      'ambiguous-path',
    ],
    [[['allow', '!a']], [['a', 'b']], 'r0'],
    [[['allow', '!a']], [['b', 'a']], 'ambiguous-path'],
    [
      [
        ['allow', '!a'],
        ['allow', 'b'],
      ],
      [['a', 'b']],
      'r0',
    ],
    [
      [
        ['allow', '!a'],
        ['deny', 'b'],
      ],
      [['a', 'b']],
      'ambiguous-path',
    ],
    [
      [
        ['allow', '!a'],
        ['ask', 'b'],
      ],
      [['a', 'b']],
      'ambiguous-path',
    ],
    [
      [
        ['allow', '!a'],
        ['allow', 'b'],
        ['deny', 'b'],
      ],
      [['a', 'b']],
      'r0',
    ],
    [
      [
        ['allow', '!a'],
        ['deny', 'b', 'http'],
      ],
      [['a', 'b']],
      'r0',
    ],
    [
      [
        ['deny', '*', 'http'],
        ['allow', '*', 'http'],
      ],
      [['a']],
      'no-rule',
    ],
    [
      [
        ['deny', '*', 'http'],
        ['allow', 'a'],
      ],
      [['a']],
      'r1',
    ],
    [
      [
        ['allow', 'a'],
        ['allow', 'b'],
      ],
      [['a'], ['b']],
      'r0',
    ],
    [[['allow', 'a']], [['a'], ['b']], 'no-rule'],
    [[['allow', '*']], [], 'no-rule'],
  ] as const)
    t.equal(check(rules, readings), outcome, JSON.stringify([rules, readings]))
  const denied = { later: [rule('deny', 'b', 9)] }
  t.equal(check([['allow', '!a']], [['a', 'b']], denied), 'ambiguous-path', 'the next place denies it')
  t.equal(check([], [['a']], { later: [rule('allow', 'a', 9)] }), 'r9')
  t.equal(check([], [['b']], { later: [rule('allow', 'a', 9)] }), 'no-rule')
  t.end()
})

void t.test('rules for gRPC alone allow calls where there are some, and deny for every request', (t) => {
  const agent = { name: 'strict', services: null, allow: null }
  const grpcPlace = {
    ...destination('https://g.example', ['allow * /**', 'deny GRPC a.B/Del', 'allow GRPC a.B/*'], {
      id: 'g',
    }),
    agentRules: { strict: destination('https://g.example', ['allow GRPC a.B/Get'], { id: 's' }).rules },
  }
  const made = policy(
    [
      grpcPlace,
      destination('https://h.example', ['allow * /**'], { id: 'h' }),
      destination('https://m.example', ['allow GRPC a.B/Get'], { id: 'm' }),
      destination('https://m.example', ['allow POST /a.B/**'], { id: 'n' }),
    ],
    [agent],
  )
  const engine = new PolicyEngine(made)
  const call = (
    host: string,
    target: string,
    more: { agent?: string; contentType?: string; method?: string } = {},
  ) => {
    const path = parseRequestTarget(target)
    if (typeof path === 'string') throw new Error(path)
    const { agent = DEFAULT_AGENT, contentType = 'application/grpc', method = 'POST' } = more
    const answer = engine.evaluateRequest({
      agent,
      scheme: 'https',
      host,
      port: 443,
      method,
      path,
      contentType,
    })
    return answer.allowed ? answer.rule.id : answer.reason
  }
  for (const [host, target, more, outcome] of [
    ['g.example', '/a.B/Get', {}, 'g.rules[2]'],
    ['g.example', '/a.B/Del', {}, 'denied-by-rule'],
    ['g.example', '/x.Y/Get', {}, 'no-rule'],
    ['g.example', '/a.B/Del', { contentType: 'application/json' }, 'denied-by-rule'],
    ['g.example', '/a.B/Get', { contentType: 'application/json' }, 'g.rules[0]'],
    ['g.example', '/x', { contentType: 'text/plain', method: 'GET' }, 'g.rules[0]'],
    ['g.example', '/a.B/Get', { agent: 'strict' }, 'g.rules[2]'],
    ['g.example', '/a.B/Put', { agent: 'strict' }, 'no-rule'],
    ['h.example', '/a.B/Del', {}, 'h.rules[0]'],
    ['m.example', '/a.B/Get', {}, 'm.rules[0]'],
    ['m.example', '/a.B/Put', {}, 'n.rules[0]'],
    ['m.example', '/x.Y/Put', {}, 'no-rule'],
  ] as const)
    t.equal(call(host, target, more), outcome, `${host}${target} ${JSON.stringify(more)}`)
  t.end()
})
