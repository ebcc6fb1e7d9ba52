import * as z from 'zod'
import { duration, field, text } from './parts.js'

/** Upper case only: a token pasted between the braces by mistake is then rarely a name, and is not quoted in a message. */
export const SECRET_NAME = /^[A-Z_][A-Z0-9_]*$/

const some = text.min(1)

const reference = (description: string, example: string) =>
  field(some, `a reference to ${description}`, example)

const ca = field(some, 'a PEM file with the only CAs trusted for this store', 'ca: ./vault-ca.pem')

const vault = z.strictObject({
  address: field(some, 'the URL of Vault', 'address: https://vault.example.com:8200'),
  path: field(some, 'the path of the secret in the API', 'path: secret/data/jira'),
  field: field(some, 'the field of the secret', 'field: token'),
  token: reference("the secret with Vault's token", 'token: "${VAULT_TOKEN}"'),
  namespace: field(some, 'the namespace', 'namespace: team-a').optional(),
  ca: ca.optional(),
})

const awsSecret = z.strictObject({
  id: field(some, 'the name or ARN of the secret', 'id: prod/jira'),
  region: field(some, 'the region', 'region: eu-central-1'),
  field: field(some, 'a key of the secret, if its text is JSON', 'field: token').optional(),
  access_key: reference('the access key id', 'access_key: "${AWS_ACCESS_KEY_ID}"'),
  secret_key: reference('the secret access key', 'secret_key: "${AWS_SECRET_ACCESS_KEY}"'),
  session_token: reference(
    'the session token of a temporary key',
    'session_token: "${AWS_SESSION_TOKEN}"',
  ).optional(),
  endpoint: field(
    some,
    "a URL to use instead of the region's own",
    'endpoint: https://vpce-1.secretsmanager.eu-central-1.vpce.amazonaws.com',
  ).optional(),
  ca: ca.optional(),
})

const source = z.strictObject({
  file: field(
    some,
    'a file that contains the value, relative to the policy file',
    'file: ./jira-token',
  ).optional(),
  command: field(
    z.array(some).min(1),
    'a program that prints the value, and its arguments; no shell interprets them',
    'command: [op, read, "op://Agents/jira/token"]',
  ).optional(),
  env: field(
    z.array(some).min(1),
    'names of variables to pass to the command in addition to PATH, HOME, USER and LANG',
    'env: [OP_SERVICE_ACCOUNT_TOKEN]',
  ).optional(),
  vault: field(
    vault,
    'a field of a secret in HashiCorp Vault',
    'vault: { address: https://vault.example.com:8200, path: secret/data/jira, field: token, token: "${VAULT_TOKEN}" }',
  ).optional(),
  aws_secret: field(
    awsSecret,
    'a secret in AWS Secrets Manager',
    'aws_secret: { id: prod/jira, region: eu-central-1, access_key: "${AWS_ACCESS_KEY_ID}", secret_key: "${AWS_SECRET_ACCESS_KEY}" }',
  ).optional(),
  refresh: duration('how often the source is read again (default: never)', 'refresh: 10m').optional(),
  timeout: duration('the longest time for one read', 'timeout: 10s').optional(),
})

/** The section `secrets`: where the values of named secrets come from. */
export const secretsSection = field(
  z.record(text, field(source, 'the source of a secret', 'JIRA_TOKEN: { file: ./jira-token }')),
  'sources of secrets other than the environment',
  'secrets: { JIRA_TOKEN: { file: ./jira-token } }',
)

export type SecretsFile = z.infer<typeof secretsSection>
export type SourceFile = SecretsFile[string]
