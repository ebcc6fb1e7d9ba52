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

/** Input of the attack script. It knows more than a real attacker would, but no secret. */
export interface Brief {
  /** Ids of the rows to run, in order. */
  readonly rows: readonly string[]
  /** Addresses of the gateway's listeners, as seen from inside. */
  readonly listeners: Readonly<Record<'dns' | 'http' | 'https' | 'proxy' | 'reverse', Endpoint>>
  readonly names: Readonly<
    Record<
      'jira' | 'llm' | 'echo' | 'tunnel' | 'impostor' | 'cdn' | 'assets' | 'metadata' | 'attacker',
      string
    >
  >
  /** Addresses of the attacker on the host's loopback. */
  readonly attacker: { readonly port: number; readonly dnsPort: number; readonly unixName: string }
  /** Addresses of the host. */
  readonly hostAddresses: readonly string[]
  /** Name servers of the host. */
  readonly hostResolvers: readonly string[]
  /** By row: the text that the attack tries to send out. */
  readonly markers: Readonly<Record<string, string>>
  /** Of the real credentials, in several encodings. */
  readonly fingerprints: readonly Fingerprint[]
  readonly salt: string
  /** A planted text, to tell a search that finds nothing from one that does not search. */
  readonly decoy: { readonly file: string; readonly fingerprint: Fingerprint }
  /** When the credentials were created, in milliseconds: no file that changed earlier can contain one. */
  readonly since: number
  /** Paths of the host that must be hidden: the gateway's policy and the files beside it. */
  readonly hidden: readonly string[]
  /** PEM of the mock servers' CA, for the tunnel that is not intercepted. */
  readonly ca: string
}

/** One attempt of an attack. */
export interface Attempt {
  /** Description of the attempt. */
  readonly what: string
  /** Whether it worked, as far as visible from inside. */
  readonly reached: boolean
  /** The result: a status, an error code. */
  readonly said: string
  /** Bytes that were received, base64. */
  readonly bytes?: string
}

/** Report of the script inside about one half of a row. */
export interface Part {
  /** Milliseconds since the epoch. */
  readonly started: number
  readonly ended: number
  readonly attempts: readonly Attempt[]
  /** The error of the script itself; null if it finished. */
  readonly error: string | null
}

/** One line of the script's output. */
export interface InsideReport {
  readonly row: string
  readonly attack: Part
  readonly control: Part
}

/** The part of a row that runs inside. `control` is the most similar allowed action, and must succeed. */
export interface InsideRow {
  attack(brief: Brief, marker: string): Promise<Attempt[]> | Attempt[]
  control(brief: Brief, marker: string): Promise<Attempt[]>
}
