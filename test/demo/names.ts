/** Names under which the mock servers are known. `.example` is reserved (RFC 2606), so none of them exists. */
export const NAMES = {
  jira: 'jira.demo.example',
  llm: 'llm.demo.example',
  echo: 'echo.demo.example',
  /** Passed through as a TLS tunnel. */
  tunnel: 'tunnel.demo.example',
  /** A service whose upstream shows a certificate of the wrong authority. */
  impostor: 'impostor.demo.example',
  /** Suffix of the one wildcard. */
  cdn: 'cdn.demo.example',
  /** A name under the wildcard that there is. */
  assets: 'assets.cdn.demo.example',
  /** A name under the wildcard whose owner lets it resolve to a metadata service. */
  metadata: 'metadata.cdn.demo.example',
  /** Not in the policy. */
  attacker: 'attacker.example',
} as const
