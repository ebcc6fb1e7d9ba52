/**
 * A service with a credential, whose responses are searched.
 *
 * @param ca the path of the PEM file that its certificate is verified with; not for http
 * @param more entries of `allow` and the beginning of `upstream.hosts`
 */
export function policyOf(
  scheme: 'http' | 'https',
  port: number,
  ca: string,
  more = 'upstream:\n  hosts:\n',
): string {
  return `services:
  api:
    url: ${scheme}://api.example
    credential: { bearer: "\${API_TOKEN}" }
    rules:
      - deny: "* /v1/admin/**"
      - allow: GET,POST,PUT /v1/**
    allow_private_addresses: true
    ${scheme === 'http' ? 'allow_plaintext: true' : `ca: ${ca}`}
${more}    api.example: "127.0.0.1:${String(port)}"
`
}
