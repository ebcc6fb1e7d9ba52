/** One request as a mock server received it. */
export interface RequestRecord {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly method: string
  /** The request target, byte for byte. */
  readonly target: string
  /** Names and values, in order. */
  readonly headers: readonly (readonly [string, string])[]
  /** Content of the credential location. */
  readonly credential: 'real' | 'missing' | 'wrong'
  /** Whether a lenient server would read the target as one that the policy does not allow. */
  readonly outside: boolean
}

/** Bytes, or a bare connection, that reached the attacker. */
export interface AttackerRecord {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly via: 'tcp' | 'tls' | 'unix' | 'dns-udp' | 'dns-tcp'
  /** The connection of the bytes; every datagram has its own. */
  readonly connection: number
  /** Received bytes, base64; empty for the connection itself. */
  readonly bytes: string
  /** TLS server name of the connection. */
  readonly serverName: string | null
  /** The question of a DNS message. */
  readonly question: { readonly name: string; readonly type: number } | null
}

/** A server under observation. */
export interface Placeholder<Entry> {
  readonly port: number
  /** Everything that it has received, in order. */
  readonly records: readonly Entry[]
  close(): Promise<void>
}
