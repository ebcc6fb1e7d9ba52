import { lookup } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import type { UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'
import { unreachableProxy } from './connect-through.js'
import { connectVia } from './dial.js'

/**
 * Connects to a port that the operator has named, through the proxy of the operator's network: for requests of the gateway's own that are
 * sent before there is a policy. The system resolves the proxy's name, and the proxy that of the target.
 *
 * @throws UpstreamProxyError
 */
export async function connectByProxy(
  proxy: UpstreamProxy,
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<Socket> {
  const addresses = isIP(proxy.host) === 0 ? await addressesOf(proxy.host) : [proxy.host]
  return connectVia({ proxy, addresses, target: host }, port, undefined, signal)
}

async function addressesOf(name: string): Promise<readonly string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address)
  } catch (error) {
    throw unreachableProxy(error)
  }
}
