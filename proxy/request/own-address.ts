import { deny, type Denial } from '../contracts/denial.js'

/**
 * The answer to a client that asks the proxy for an address of its own sandbox, such as `http://[::1]:8080/`, although NO_PROXY lists
 * it: a redirect to a name that it takes for one of NO_PROXY. The proxy itself could not connect there, since another network lies
 * behind it. Null if the authority is not such an address.
 *
 * @param authority of an http URL, as it was sent
 * @param target path and query
 */
export function denyOwnAddress(authority: string, target: string): Denial | null {
  if (!URL.canParse(`http://${authority}`)) return null
  const { hostname, port, username, password } = new URL(`http://${authority}`)
  const name = OWN.find(([address]) => address.test(hostname))?.[1]
  if (name === undefined || username !== '' || password !== '') return null
  const detail = 'it is the sandbox itself, which its clients reach directly'
  // A client that does not see that this is a direct name would come back for ever.
  const location = `http://${name}${port === '' ? '' : `:${port}`}${target}`
  return name === '' ? deny('bad-authority', { detail }) : deny('bad-authority', { detail, location })
}

/** Addresses, as URLs normalise them, and their names in NO_PROXY; '' if there is none that means the same address. */
const OWN: readonly (readonly [address: RegExp, name: string])[] = [
  [/^\[::1?\]$/, 'ip6-localhost'],
  [/^(127\.0\.0\.1|0\.0\.0\.0)$/, 'localhost'],
  [/^127\./, ''],
]
