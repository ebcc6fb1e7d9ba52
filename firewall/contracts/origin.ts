export type Scheme = 'http' | 'https'

/** RFC 6454: where a request is sent, without its path. */
export interface Origin {
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
}
