import { isDiagnostic, type Diagnostic } from '#firewall/contracts/diagnostic.js'
import { defaultPort } from '#firewall/names/default-port.js'
import { isKnownMethod } from '#firewall/rules/http.js'
import { parseAuthority, parseHostname } from '#firewall/names/hostname.js'
import type { AskedName, AskedRequest } from './verdicts.js'

/** What somebody wants to know of a policy, whoever asks. */
export type Question =
  | ({ readonly kind: 'name' } & Omit<AskedName, 'agent'>)
  | ({
      readonly kind: 'request'
      /** The method, or `grpc` or `graphql`, as it was asked. */
      readonly verb: string
    } & Omit<AskedRequest, 'agent'>)

/** A host name. */
export function readHost(text: string): Question | Diagnostic {
  const host = parseHostname(text)
  if (host !== null) return { kind: 'name', host }
  return {
    problem: `Invalid host name \`${text}\``,
    fix: 'Use a name such as `api.example.com`; the resolver rejects anything else',
  }
}

/**
 * A request by its method, or `grpc` or `graphql` for a call by one of these, and its URL.
 *
 * @param body what the request sends to an endpoint of GraphQL: a document, or JSON with one in `query`; null for none
 */
export function readRequest(verb: string, url: string, body: string | null): Question | Diagnostic {
  const isCall = verb === 'grpc' || verb === 'graphql'
  const method = isCall ? 'POST' : readMethod(verb)
  if (typeof method !== 'string') return method
  const parsed = readUrl(url)
  if (isDiagnostic(parsed)) return parsed
  return { kind: 'request', verb, method, ...parsed, contentType: contentTypeOf(verb, body), document: body }
}

function contentTypeOf(verb: string, body: string | null): string | null {
  if (verb === 'grpc') return 'application/grpc'
  if (body === null) return null
  return isJson(body) ? 'application/json' : 'application/graphql'
}

/** `{ viewer }` is a document, and no JSON. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function readMethod(text: string): string | Diagnostic {
  if (isKnownMethod(text)) return text
  const upper = text.toUpperCase()
  const fix = isKnownMethod(upper)
    ? `Use \`${upper}\``
    : 'Use a method such as `GET`, `grpc` or `graphql` for a call, or `dns` for a DNS name'
  return { problem: `Unknown method \`${text}\``, fix }
}

/** Not parsed with `URL`, which would normalise the text that the gateway must check unchanged. */
function readUrl(text: string): Pick<AskedRequest, 'scheme' | 'host' | 'port' | 'target'> | Diagnostic {
  const match = /^(https?):\/\/([^/?#]*)([^#]*)$/i.exec(text)
  const scheme = match?.[1]?.toLowerCase() === 'http' ? 'http' : 'https'
  const authority = parseAuthority(match?.[2] ?? '')
  if (match === null || authority === null) return unreadableUrl(text)
  const rest = match[3] ?? ''
  const target = rest.startsWith('/') ? rest : `/${rest}`
  return { scheme, host: authority.host, port: authority.port ?? defaultPort(scheme), target }
}

/** Does not print the URL: it may contain a password. */
function unreadableUrl(text: string): Diagnostic {
  if (text.startsWith('/'))
    return { problem: 'The URL has no host', fix: 'Use the whole URL, such as `https://host/path`' }
  if (!/^https?:\/\//i.test(text))
    return {
      problem: 'The URL does not start with https:// or http://',
      fix: 'Use a URL such as `https://host/path`',
    }
  if (text.includes('#')) return { problem: 'The URL has a fragment', fix: 'Remove `#` and what follows it' }
  if (/^[^/]*\/\/[^/?]*@/.test(text))
    return { problem: 'The URL has a user name', fix: 'Remove everything up to `@`' }
  return {
    problem: 'The URL has no valid host name',
    fix: 'Use `https://host/path` or `https://host:port/path`',
  }
}
