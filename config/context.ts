import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { CredentialInputs } from './credential.js'
import type { IssueList } from './issue.js'
import type { SecretLookup } from './secrets.js'

/** What the readers of the single sections share while one policy is loaded. */
export interface LoadContext {
  readonly issues: IssueList
  readonly secrets: SecretLookup
  /** True when only the policy itself is read: no secret, no authority. */
  readonly namesOnly: boolean
  readonly kinds: readonly CredentialKind[]
  /** Directory of the policy file, absolute: `ca` is relative to it. */
  readonly directory: string
  /** Notes a credential whose values may change later. */
  readonly resolved: (credentialInputs: CredentialInputs) => void
  /** Notes the name of a file that the sandbox must not see. */
  readonly sensitive: (path: string) => void
}
