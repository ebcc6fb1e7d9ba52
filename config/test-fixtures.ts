import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CredentialField, CredentialKind } from '#firewall/contracts/credential.js'

const secret: CredentialField = { secret: true, describe: 'a reference to a secret' }
const plain: CredentialField = { secret: false, describe: 'plain text' }

type Text = (values: Readonly<Record<string, string>>) => string

function kind(
  name: string,
  fields: CredentialKind['fields'],
  shorthand: string | null,
  location: Text,
  value: Text,
): CredentialKind {
  return {
    name,
    summary: `test kind ${name}`,
    fields,
    shorthand,
    check: (values) =>
      /^[A-Za-z-]+$/.test(location(values)) ? null : `\`${location(values)}\` is not a header name`,
    bind: (id, values) => {
      const revealed = Object.fromEntries(Object.entries(values).map(([key, one]) => [key, one.reveal()]))
      const header = location(revealed).toLowerCase()
      return {
        kind: name,
        id,
        locations: { headers: [header] },
        inject: ({ headers }) => {
          headers[header] = value(revealed)
          return null
        },
        secretPatterns: () =>
          new SecretPatterns(
            Object.values(values).flatMap((one) => one.revealSensitive().map((text) => Buffer.from(text))),
          ),
      }
    },
  }
}

/** Small placeholders for the kinds of the proxy, which config does not know. */
export const TEST_KINDS: readonly CredentialKind[] = [
  kind(
    'bearer',
    { token: secret },
    'token',
    () => 'authorization',
    ({ token }) => `Bearer ${token ?? ''}`,
  ),
  kind(
    'basic',
    { username: plain, password: secret },
    null,
    () => 'authorization',
    ({ username, password }) =>
      `Basic ${Buffer.from(`${username ?? ''}:${password ?? ''}`).toString('base64')}`,
  ),
  kind(
    'header',
    { name: plain, value: secret },
    null,
    ({ name }) => name ?? '',
    ({ value }) => value ?? '',
  ),
]

/** Writes files by relative name and returns the name of the directory. */
export function writeFiles(directory: string, files: Readonly<Record<string, string | Buffer>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), content)
  }
  return directory
}

/** A CA certificate (ECDSA P-256, public part only). */
export const TEST_CA = `-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUCMjMWaGBJ+GBpocAjH4TNDBMDf8wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIzMTE1MTQ0WhgPMjEy
NjEwMzAxMTUxNDRaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE0tqZ/AjeiQYAf4TpvzInlvmOqwpddBec0rPyYfSP
2hh5XUYtFNkp2eJN3EHUS1jAOw6vX0yWtK9gKPNPFTURW6NTMFEwHQYDVR0OBBYE
FPrcCjDtZEI2eDVePSmw5p+7g1WtMB8GA1UdIwQYMBaAFPrcCjDtZEI2eDVePSmw
5p+7g1WtMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgdYRDyS0s
zzjuiCOt3vr0vNZ3lxE+h3EiinDhXc4qNSMCIFjM44xLZTeixHvTX9YAfgKgAGrS
2KQDtbkL0qa0tw1Y
-----END CERTIFICATE-----
`
