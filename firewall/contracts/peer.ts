/** The other end of a connection or datagram, as the socket reports it. */
export interface Peer {
  /** IP address as text. */
  readonly address: string
  readonly port: number
  /** The gateway's own address that received the traffic; absent if the socket does not report it. */
  readonly localAddress?: string
}
