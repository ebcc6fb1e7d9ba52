/** Names of the mock servers. `.example` is reserved (RFC 2606), so none of them exists. */
export const NAMES = {
  jira: 'jira.demo.example',
  llm: 'llm.demo.example',
  echo: 'echo.demo.example',
  /** Passed through as a TLS tunnel. */
  tunnel: 'tunnel.demo.example',
  /** A service whose upstream has a certificate of the wrong CA. */
  impostor: 'impostor.demo.example',
  /** Suffix of the only wildcard. */
  cdn: 'cdn.demo.example',
  /** An existing name under the wildcard. */
  assets: 'assets.cdn.demo.example',
  /** A name under the wildcard that its owner resolves to a metadata service. */
  metadata: 'metadata.cdn.demo.example',
  /** Not in the policy. */
  attacker: 'attacker.example',
} as const
