import type { Diagnostic } from '../contracts/diagnostic.js'
import type { LoosePattern, Rule } from '../contracts/rule.js'
import { loosePatterns, matchLoosely, type LoosePath } from './loose-path.js'
import type { RequestPath } from './request-path.js'
import type { RuleKind } from './rule-kind.js'

export interface GrpcMatch {
  /** With its package: `pkg.Service`; null for any. */
  readonly service: string | null
  /** Null for any. */
  readonly method: string | null
  /** What stands before the service in the path: `` or `/base`. */
  readonly prefix: string
  /** What deny rules compare: the path of the call, as a lenient server could read it. */
  readonly loose: readonly LoosePattern[]
}

/** One reading of a request, as gRPC over HTTP/2 would take it. */
export interface GrpcSubject {
  /** Whether it is a call: a POST with a content type of gRPC, and without a query. */
  readonly isCall: boolean
  /** Canonical. */
  readonly path: string
  readonly loose: LoosePath
}

export type GrpcRule = Rule<'grpc', GrpcMatch>

const KEYWORD = 'GRPC'
const SERVICE = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/
const METHOD = /^[A-Za-z_]\w*$/

/**
 * `GRPC pkg.Service/Method`, `GRPC pkg.Service/*` or `GRPC *\/*`. An allow rule matches a call whose path is exactly
 * `/{service}/{method}`. A deny rule also matches what is no call: servers take the same path with JSON (Connect, transcoding).
 */
export const grpc: RuleKind<GrpcMatch, GrpcSubject> = {
  name: 'grpc',
  keyword: KEYWORD,
  parse(text) {
    const [keyword = '', name = '', ...more] = text.trim().split(/\s+/)
    const [service = '', method = '', ...deeper] = name.split('/')
    const isService = service === '*' || SERVICE.test(service)
    const isMethod = method === '*' || (METHOD.test(method) && service !== '*')
    if (keyword !== KEYWORD || more.length + deeper.length > 0 || !isService || !isMethod)
      return nameError(text, name)
    return matchOf(service === '*' ? null : service, method === '*' ? null : method, '')
  },
  matches({ service, method, prefix }, { isCall, path }) {
    if (!isCall || !path.startsWith(`${prefix}/`)) return false
    const [called = '', calledMethod = '', ...deeper] = path.slice(prefix.length + 1).split('/')
    return (
      deeper.length === 0 &&
      (service === null ? SERVICE.test(called) : called === service) &&
      (method === null ? METHOD.test(calledMethod) : calledMethod === method)
    )
  },
  matchesLoosely: ({ loose }, subject) => matchLoosely(loose, subject.loose),
  covers(earlier, later) {
    const over = earlier.findIndex((one) => covers(one, later))
    return over < 0 ? null : [over]
  },
  overlaps: (a, b) => a.prefix === b.prefix && agree(a.service, b.service) && agree(a.method, b.method),
  below: ({ service, method, prefix }, basePath) => matchOf(service, method, `${basePath}${prefix}`),
  explain({ service, method }) {
    if (service === null) return 'call any method by gRPC'
    return method === null ? `call any method of ${service} by gRPC` : `call ${service}/${method} by gRPC`
  },
}

export function isGrpcRule(rule: Rule): rule is GrpcRule {
  return rule.kind === grpc.name
}

function matchOf(service: string | null, method: string | null, prefix: string): GrpcMatch {
  const path = service === null ? `${prefix}/**` : `${prefix}/${service}/${method ?? '**'}`
  return { service, method, prefix, loose: loosePatterns(path, method === null) }
}

function covers(outer: GrpcMatch, inner: GrpcMatch): boolean {
  return (
    outer.prefix === inner.prefix &&
    (outer.service ?? inner.service) === inner.service &&
    (outer.method ?? inner.method) === inner.method
  )
}

/** Whether one name can be meant by both. */
function agree(a: string | null, b: string | null): boolean {
  return a === null || b === null || a === b
}

function nameError(text: string, name: string): Diagnostic {
  const problem = `Invalid gRPC rule \`${text}\`: expected the name of a service and a method`
  const bare = name.replace(/^\/+/, '')
  const fix = SERVICE.test(bare)
    ? `Write \`${bare}/*\` for all methods of the service`
    : SERVICE.test(bare.split('/', 1)[0] ?? '') && METHOD.test(bare.split('/')[1] ?? '')
      ? `Write \`${bare.split('/').slice(0, 2).join('/')}\``
      : 'Write `package.Service/Method`, or `package.Service/*` for all of its methods'
  return { problem, fix }
}

/**
 * Whether a server could take the request for gRPC or gRPC-Web, whatever it looks like besides. Threat: what is called gRPC in
 * another spelling is decided by other rules.
 */
export function mayBeGrpc(contentType: string | readonly string[] | undefined): boolean {
  return contentType !== undefined && String(contentType).toLowerCase().includes('grpc')
}

/** Its readings as calls. @param contentType the header as it came */
export function grpcReadings(
  method: string,
  { query, readings, loose }: RequestPath,
  contentType: string | readonly string[] | undefined,
): readonly GrpcSubject[] {
  const isCall =
    method === 'POST' &&
    query === '' &&
    typeof contentType === 'string' &&
    /^application\/grpc(-web|-web-text)?($|[+;])/i.test(contentType)
  return readings.map((path) => ({ isCall, path, loose }))
}
