import type { Preset } from './preset.js'

export const s3: Preset = {
  name: 's3',
  description: 'Amazon S3 and compatible servers: read, and write objects below the bucket of the URL',
  example: {
    url: 'https://bucket.s3.eu-central-1.amazonaws.com',
    credential: { sigv4: { region: 'eu-central-1' } },
  },
  service: {
    credential: {
      sigv4: {
        access_key: '${AWS_ACCESS_KEY_ID}',
        secret_key: '${AWS_SECRET_ACCESS_KEY}',
        region: 'us-east-1',
        service: 's3',
      },
    },
    env: {
      AWS_ACCESS_KEY_ID: '{placeholder:AWS_ACCESS_KEY_ID}',
      AWS_SECRET_ACCESS_KEY: '{placeholder:AWS_SECRET_ACCESS_KEY}',
      AWS_DEFAULT_REGION: '{field:region}',
      AWS_REGION: '{field:region}',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  },
  operations: [
    { about: 'read and list objects', allow: ['GET,HEAD /**'] },
    // At least one segment, so that the bucket itself, its policy or many objects at once cannot be changed.
    {
      about: 'write objects, but not their access rights',
      allow: ['PUT,POST /*/**'],
      deny: ['PUT,POST /**?acl', 'PUT,POST /**?legal-hold', 'PUT,POST /**?retention'],
    },
  ],
  placeholders: {
    access_key: { prefix: 'AKIA', length: 20, alphabet: 'upper-alphanumeric' },
    secret_key: { prefix: '', length: 40, alphabet: 'alphanumeric' },
  },
}
