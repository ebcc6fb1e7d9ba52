import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { FileContext } from '../files/file-context.js'
import type { CredentialInputs } from '../secrets/credential-inputs.js'
import type { SecretLookup } from '../secrets/secret-values.js'

/** What the readers of services and hosts share while one policy is loaded. */
export interface LoadContext extends FileContext {
  readonly secrets: SecretLookup
  readonly kinds: readonly CredentialKind[]
  readonly ruleKinds: RuleKinds
  /** Records a credential whose values may change later. */
  readonly resolved: (credentialInputs: CredentialInputs) => void
}
