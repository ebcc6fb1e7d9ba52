import { lookup } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP, isIPv4 } from 'node:net'

/**
 * Addresses of a name as the system knows it, IPv4 first, and of no other name. Threat: the system's resolver tries a name
 * that does not exist at the moment below each of its search domains, and whoever answers there is sent the credential. So
 * the name is asked for with its last dot, which rules that out. The hosts file has no names with a last dot and is read here.
 *
 * @throws when there is none
 */
export async function lookUpAbsolute(host: string, hostsFile = '/etc/hosts'): Promise<readonly string[]> {
  const listed = addressesInHosts(await readFile(hostsFile, 'utf8').catch(() => ''), host)
  if (listed.length > 0) return listed
  return (await lookup(`${host}.`, { all: true, order: 'ipv4first' })).map(({ address }) => address)
}

/** hosts(5): an address, then names, in any letter case; `#` begins a comment. */
export function addressesInHosts(text: string, host: string): readonly string[] {
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (isIP(address) !== 0 && names.some((name) => name.toLowerCase().replace(/\.$/, '') === host)) {
      found.add(address)
    }
  }
  return [...found].sort((a, b) => Number(isIPv4(b)) - Number(isIPv4(a)))
}
