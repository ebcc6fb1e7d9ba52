/** The host name of every sandbox that this program starts. */
export const SANDBOX_HOSTNAME = 'sandbox'

/** The address beside 127.0.0.1 of a sandbox without a network (RFC 5737). */
export const LOOPBACK_ADDRESS = '192.0.2.1'

/** Names of ::1 in /etc/hosts. */
export const IPV6_LOOPBACK_NAMES = ['ip6-localhost', 'ip6-loopback']

/**
 * The value of NO_PROXY: what a sandbox reaches without the gateway's proxy, which is itself and the gateway. Clients differ in what
 * they understand: some take networks, some only addresses, and some take a name for its subdomains and some not.
 *
 * `[::1]` is not in it, although urllib of Python compares with nothing else: httpx, which the SDKs of OpenAI and Anthropic use,
 * throws for it at every start. For `http://[::1]/` the proxy redirects to one of the names.
 *
 * @param gateway names of the gateway
 * @param own the sandbox's own addresses or networks, besides loopback
 */
export function directNames(gateway: readonly string[], own: readonly string[]): string {
  return [
    'localhost',
    '.localhost',
    ...IPV6_LOOPBACK_NAMES,
    '127.0.0.1',
    '127.0.0.0/8',
    '::1',
    // Linux connects to the own host.
    '0.0.0.0',
    '::',
    SANDBOX_HOSTNAME,
    ...gateway,
    ...own,
  ].join(',')
}
