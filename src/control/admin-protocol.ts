/** One request a connection, one line of JSON each way, over a socket in the gateway's own memory. */
export type AdminRequest =
  | { readonly do: 'health' }
  | {
      readonly do: 'add'
      readonly id: string
      readonly subnet: string
      /** Empty for none. */
      readonly agent: string
      readonly command: string
    }
  | { readonly do: 'list' }
  | { readonly do: 'reload' }
  | { readonly do: 'environment'; readonly network: string }

export type AdminReply =
  | { readonly lines: readonly string[] }
  | { readonly problem: string; readonly fix: string; readonly exitCode: number }

/** Bytes of a request; a command's first word and a name fit many times over. */
export const MAX_REQUEST_BYTES = 65_536
