import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn } from './lib/attempt.mjs'
import { exchange, openTcp, openTls } from './lib/http.mjs'
import { askByTls, overBoth, type HttpVersion } from './lib/http-versions.mjs'
import { askJiraOver } from './lib/controls.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  ...overBoth((version) => ({
    'path-escape': { attack: escapePaths(version), control: askJiraOver(version) },
    'method-not-allowed': { attack: useOtherMethods(version), control: createIssue(version) },
  })),
  'request-smuggling': { attack: smuggle, control: sendBody },
}

const PATHS = [
  '/admin',
  '/rest/api/2/../../../admin',
  '/rest/api/2/%2e%2e/%2e%2e/%2e%2e/admin',
  '/rest/api/2/..%2f..%2f..%2fadmin',
  '/rest/api/2/%2e%2e%2f%2e%2e%2f%2e%2e%2fadmin',
  '/rest/api/2/..%5c..%5c..%5cadmin',
  '/rest/api/2/..\\..\\..\\admin',
  '/rest/api/2/%252e%252e/%252e%252e/%252e%252e/admin',
  '/rest/api/2/%25252e%25252e/%25252e%25252e/%25252e%25252e/admin',
  '/rest/api/2/..;/..;/..;/admin',
  '/rest/api/2/..;x=1/..;x=1/..;x=1/admin',
  '/rest/api/2/..%3b/..%3b/..%3b/admin',
  '/rest/api/2/.%2e/.%2e/.%2e/admin',
  '/rest/api/2/%c0%ae%c0%ae/admin/..%2f..%2f..%2f..%2f..%2fadmin',
  '//admin',
  '/./admin',
  '/rest/api/2/x#/../../../../admin',
  '/rest/api/2/secure/keys',
  '/rest/api/2//secure/keys',
  '/rest/api/2/%73ecure/keys',
  '/rest/api/2/x/..%2fsecure/keys',
  '/rest/api/2/secure;x/keys',
  '/rest/api/2/./secure/keys',
  '/rest/api/2%2fsecure/keys',
]

function escapePaths(version: HttpVersion): InsideRow['attack'] {
  return ({ listeners, names }, marker) =>
    inTurn(
      PATHS.map(
        (path) => () =>
          attempt(path, () =>
            askByTls(version, listeners.https, { host: names.jira, path: `${path}?attack=${marker}` }),
          ),
      ),
    )
}

function useOtherMethods(version: HttpVersion): InsideRow['attack'] {
  return ({ listeners, names }, marker) => {
    const path = `/rest/api/2/issue/DEMO-1?attack=${marker}`
    return inTurn(
      ['DELETE', 'PUT', 'PATCH', 'TRACE', 'get', 'DELETE\tx', 'PROPFIND'].map(
        (method) => () =>
          attempt(method, () => askByTls(version, listeners.https, { host: names.jira, path, method })),
      ),
    )
  }
}

function createIssue(version: HttpVersion): InsideRow['control'] {
  return async ({ listeners, names }, marker) => [
    await attempt('POST /rest/api/2/issue', () =>
      askByTls(version, listeners.https, {
        host: names.jira,
        path: `/rest/api/2/issue?control=${marker}`,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ fields: { summary: marker } }),
      }),
    ),
  ]
}

/** Two servers may read each of these requests in two ways; the hidden request must not arrive in either reading. */
async function smuggle({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  const { jira, attacker } = names
  const first = `/rest/api/2/myself?attack=${marker}`
  const hidden = lines([`GET /admin?smuggled=${marker} HTTP/1.1`, `Host: ${jira}`, 'Connection: close'])
  const chunked = `0\r\n\r\n${hidden}`
  const message = (method: string, headers: readonly string[], body = ''): string =>
    lines([`${method} ${first} HTTP/1.1`, ...headers]) + body
  const host = `Host: ${jira}`
  const length = `Content-Length: ${hidden.length}`
  const requests: Record<string, string> = {
    'two Host headers': message('GET', [host, `Host: ${attacker}`]),
    'two Host headers, the other first': message('GET', [`Host: ${attacker}`, host]),
    'Transfer-Encoding and Content-Length': message(
      'POST',
      [host, `Content-Length: ${chunked.length}`, 'Transfer-Encoding: chunked'],
      chunked,
    ),
    'Content-Length and Transfer-Encoding': message(
      'POST',
      [host, 'Transfer-Encoding: chunked', 'Content-Length: 4'],
      chunked,
    ),
    'two Content-Lengths': message('POST', [host, 'Content-Length: 0', length], hidden),
    'Content-Length as a list': message('POST', [host, `Content-Length: 0, ${hidden.length}`], hidden),
    'signed Content-Length': message('POST', [host, `Content-Length: +${hidden.length}`], hidden),
    'space before the colon': message('POST', [host, 'Transfer-Encoding : chunked'], chunked),
    'unknown transfer coding': message('POST', [host, 'Transfer-Encoding: xchunked', length], hidden),
    'chunked twice': message('POST', [host, 'Transfer-Encoding: chunked, chunked'], chunked),
    'folded header': message('POST', [host, 'X-Note: a', ' Transfer-Encoding: chunked', length], hidden),
    'bare line feeds': message('GET', [`${host}\nX-Note: a\n\n${hidden}`]),
    'body of a GET': message('GET', [host, length], hidden),
    'chunked body of a GET': message(
      'GET',
      [host, 'Transfer-Encoding: chunked'],
      `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    ),
    'line feed inside a chunk size': message('POST', [host, 'Transfer-Encoding: chunked'], `0\n\n${hidden}`),
    'escaped line break in the path': `GET /rest/api/2/myself%0d%0aHost:%20${attacker}?attack=${marker} HTTP/1.1\r\n${host}\r\n\r\n`,
    'Connection: authorization': message('GET', [host, 'Connection: close, authorization']),
    'Connection: host': message('GET', [host, 'Connection: close, host']),
    'Connection: content-length': message(
      'POST',
      [host, 'Connection: close, content-length', length],
      hidden,
    ),
    'Expect: 100-continue': message('POST', [
      host,
      'Expect: 100-continue',
      'Connection: close',
      'Content-Length: 0',
    ]),
    'Upgrade to cleartext HTTP/2':
      message('GET', [
        host,
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAAQAAP__',
      ]) + hidden,
  }
  return inTurn(
    Object.entries(requests).map(
      ([what, bytes]) =>
        () =>
          attempt(what, async () => {
            // An honest second request follows, with a path that is denied: it ends connections that parse both requests correctly.
            const outcome = await exchange(
              await openTls(await openTcp(listeners.https), jira),
              `${bytes}${hidden}`,
            )
            // A denial and a correctly framed request are both fine; the mock server's record shows whether it was either.
            return { ...outcome, reached: false }
          }),
    ),
  )
}

async function sendBody({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('POST with a chunked body', async () => {
      const body = JSON.stringify({ fields: { summary: marker } })
      const socket = await openTls(await openTcp(listeners.https), names.jira)
      const head = [
        `POST /rest/api/2/issue?control=${marker} HTTP/1.1`,
        `Host: ${names.jira}`,
        'Connection: close',
      ]
      const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      return exchange(socket, lines([...head, 'Transfer-Encoding: chunked']) + chunk)
    }),
  ]
}

function lines(head: readonly string[]): string {
  return `${head.join('\r\n')}\r\n\r\n`
}
