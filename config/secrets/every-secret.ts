import type { CredentialField } from '#firewall/contracts/credential.js'
import type { PolicySecret } from '#firewall/contracts/policy.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { CredentialInputs } from './credential-inputs.js'
import type { SecretValues } from './secret-values.js'
import type { SecretSource } from './sources/source.js'

/** The credential that the gateway shows to a secret store. */
const FIELD: CredentialField = { secret: true, describe: 'the credential for the store', multiline: true }

/** The secrets that sources need themselves, as inputs that are renewed like those of credentials. */
export function storeInputs(
  sources: Iterable<SecretSource>,
  values: SecretValues,
): readonly CredentialInputs[] {
  return [...sources].flatMap(({ name: source, kind, needs }) => {
    const fields = needs.flatMap(({ name, key }) => {
      const value = values.lookUp(name, true)
      if (typeof value !== 'string') return []
      return [
        {
          key,
          field: FIELD,
          template: { pieces: ['', name, ''], names: [name] },
          secret: new Secret(name, value),
        },
      ]
    })
    if (fields.length === 0) return []
    const checked = { name: kind, fields: {}, check: () => null }
    return [{ id: `secrets.${source}`, kind: checked, fields }]
  })
}

/** Every value that a reference in the policy stands for: the one list of what responses are searched for. */
export function secretsOf(inputs: readonly CredentialInputs[]): readonly PolicySecret[] {
  return inputs.flatMap(({ id, fields }) =>
    fields
      .filter(({ template }) => template.names.length > 0)
      .map(({ field, secret }) => ({ owner: id, secret, caseless: !field.secret })),
  )
}
