/** One request as a mock server's server received it. */
export interface RequestRecord {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly method: string
  /** The request target, byte for byte. */
  readonly target: string
  /** Names and values in the order they came. */
  readonly headers: readonly (readonly [string, string])[]
  /** What stood in the credential's location. */
  readonly credential: 'real' | 'missing' | 'wrong'
  /** Whether some server would read the target as one outside of what the policy allows. */
  readonly outside: boolean
}

/** Bytes, or a bare connection, that reached the attacker. */
export interface AttackerRecord {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly via: 'tcp' | 'tls' | 'unix' | 'dns-udp' | 'dns-tcp'
  /** Which connection the bytes belong to; datagrams have one each. */
  readonly connection: number
  /** What was read, base64; empty for the connection itself. */
  readonly bytes: string
  /** TLS server name of the connection. */
  readonly serverName: string | null
  /** What a DNS message asked. */
  readonly question: { readonly name: string; readonly type: number } | null
}

/** A server under observation. */
export interface Placeholder<Entry> {
  readonly port: number
  /** Everything that it received so far, in order. */
  readonly records: readonly Entry[]
  close(): Promise<void>
}
