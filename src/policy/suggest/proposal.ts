import type { Scheme } from '#firewall/contracts/origin.js'
import type { Want } from './evidence.js'

/** One thing to add to a policy, with what speaks for it. */
export type Proposal = Evident &
  (
    | {
        readonly kind: 'host'
        readonly host: string
        readonly scheme: Scheme
        readonly port: number
        readonly methods: readonly string[]
        /** Null where only the host's name was asked for. */
        readonly paths: readonly string[] | null
      }
    | {
        readonly kind: 'rule'
        readonly service: string
        /** A preset's rules stay where they are, and others go before them. */
        readonly key: 'rules' | 'extra_rules'
        readonly rule: string
      }
    | { readonly kind: 'agent-rule'; readonly agent: string; readonly service: string; readonly rule: string }
    | { readonly kind: 'preset'; readonly preset: string; readonly hosts: readonly string[] }
    /** An agent whose list of hosts or services has to name another one. */
    | {
        readonly kind: 'agent-list'
        readonly agent: string
        readonly key: 'allow' | 'services'
        readonly name: string
      }
  )

interface Evident {
  readonly wants: readonly Want[]
  /** What to think about before it is added, in printable ASCII. */
  readonly warnings: readonly string[]
}

/** Something that is not suggested. */
export interface Refused {
  readonly want: Want
  /** Why not, and what to do about it, as the end of a sentence, in printable ASCII. */
  readonly why: string
}
