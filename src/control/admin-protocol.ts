/** One request per connection, one line of JSON in each direction, over a Unix socket in the gateway's container. */
export type AdminRequest =
  | { readonly do: 'health' }
  | {
      readonly do: 'add'
      readonly id: string
      readonly subnet: string
      /** Empty: the default agent. */
      readonly agent: string
      readonly command: string
    }
  | { readonly do: 'list' }
  | { readonly do: 'reload' }
  | { readonly do: 'environment'; readonly network: string }

export type AdminReply =
  | { readonly lines: readonly string[] }
  | { readonly problem: string; readonly fix: string; readonly exitCode: number }

/** Maximum size of a request in bytes; far more than a command's first word and a name need. */
export const MAX_REQUEST_BYTES = 65_536
