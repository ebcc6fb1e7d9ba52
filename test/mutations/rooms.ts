/** Sources that hold a guarantee, and the tests that must notice when one of their lines changes. */
export interface Room {
  readonly name: string
  /** Globs of sources. Tests and fixtures among them are left out. */
  readonly sources: readonly string[]
  /** Globs of tests; those of the same room, so that whoever changes a source finds its test beside it. */
  readonly tests: readonly string[]
}

const beside = (name: string): Room => ({
  name,
  sources: [`${name}/**/*.ts`],
  tests: [`${name}/**/*.test.ts`],
})

export const ROOMS: readonly Room[] = [
  beside('firewall/addresses'),
  beside('firewall/names'),
  beside('firewall/rules'),
  beside('firewall/policy-engine'),
  beside('firewall/ledger'),
  beside('firewall/secrets'),
  beside('proxy/request'),
  beside('proxy/message'),
  beside('proxy/context'),
  beside('proxy/redaction'),
  beside('proxy/credentials'),
  beside('proxy/connection'),
  beside('proxy/downstream'),
  beside('proxy/upstream'),
  beside('proxy/tls'),
  beside('dns'),
  beside('config/secrets'),
  beside('src/audit'),
  {
    name: 'src/sandbox',
    sources: ['src/sandbox/*.ts'],
    tests: ['src/sandbox/*.test.ts', 'src/sandbox/backends/**/*.test.ts'],
  },
]
