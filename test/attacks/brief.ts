/** A one-way check for a text of `WINDOW` bytes: enough to recognise it, not enough to reconstruct it. */
export interface Fingerprint {
  readonly name: string
  /** Polynomial hash modulo 2^32 of the window; a filter that says where to look closer. */
  readonly rolling: number
  /** SHA-256 of salt and window, hex. */
  readonly digest: string
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** What the attack script is told. It knows more than a real attacker would, but no secret. */
export interface Brief {
  /** Ids of the rows to run, in order. */
  readonly rows: readonly string[]
  /** Where the gateway listens, seen from inside. */
  readonly listeners: Readonly<Record<'dns' | 'http' | 'https' | 'proxy' | 'reverse', Endpoint>>
  readonly names: Readonly<
    Record<
      'jira' | 'llm' | 'echo' | 'tunnel' | 'impostor' | 'cdn' | 'assets' | 'metadata' | 'attacker',
      string
    >
  >
  /** Where the attacker listens on the host's loopback. */
  readonly attacker: { readonly port: number; readonly dnsPort: number; readonly unixName: string }
  /** Addresses of the host. */
  readonly hostAddresses: readonly string[]
  /** Name servers of the host. */
  readonly hostResolvers: readonly string[]
  /** By row: the text that it tries to get out. */
  readonly markers: Readonly<Record<string, string>>
  /** Of the real credentials, in several encodings. */
  readonly fingerprints: readonly Fingerprint[]
  readonly salt: string
  /** A planted text, so that a search that finds nothing can be told from one that does not search. */
  readonly decoy: { readonly file: string; readonly fingerprint: Fingerprint }
  /** When the credentials were made, in milliseconds: no file that changed before can hold one. */
  readonly since: number
  /** Paths of the host that must be out of sight: the gateway's policy and its neighbours. */
  readonly hidden: readonly string[]
  /** PEM of the mock servers' authority, for the tunnel that nobody intercepts. */
  readonly ca: string
}

/** One try of an attack. */
export interface Attempt {
  /** What was tried. */
  readonly what: string
  /** Whether it worked, as far as one can tell from inside. */
  readonly reached: boolean
  /** What came back: a status, an error code. */
  readonly said: string
  /** Bytes that came back, base64. */
  readonly bytes?: string
}

/** What one half of a row did, as the script inside reports it. */
export interface Part {
  /** Milliseconds since the epoch. */
  readonly started: number
  readonly ended: number
  readonly attempts: readonly Attempt[]
  /** What the script itself failed with; null when it ran to its end. */
  readonly error: string | null
}

/** One line of the script's output. */
export interface InsideReport {
  readonly row: string
  readonly attack: Part
  readonly control: Part
}

/** The inside half of a row. `control` is the nearest thing that is allowed, and must succeed. */
export interface InsideRow {
  attack(brief: Brief, marker: string): Promise<Attempt[]> | Attempt[]
  control(brief: Brief, marker: string): Promise<Attempt[]>
}
