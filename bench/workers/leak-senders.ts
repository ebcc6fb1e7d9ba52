import { createHash, randomBytes, randomUUID } from 'node:crypto'

/** A way to encode data in names: turns some bytes into the wildcard labels of one name. */
export interface Sender {
  readonly name: string
  /** Payload bytes in one name. */
  readonly bytes: number
  readonly labels: (payload: Buffer, index: number) => string
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map((group) => BASE32[parseInt(group.padEnd(5, '0'), 2)]).join('')
}

const labelsOf = (text: string, length: number) =>
  (text.match(new RegExp(`.{1,${String(length)}}`, 'g')) ?? []).join('.')

/** 4,096 pronounceable words: one carries 12 bits and looks like ordinary text. */
const WORDS = Array.from({ length: 4096 }, (_, index) => {
  const syllables = [
    'ba',
    'co',
    'di',
    'fu',
    'ga',
    'ho',
    'ki',
    'lu',
    'ma',
    'no',
    'pe',
    'ra',
    'si',
    'ta',
    'vo',
    'we',
  ]
  return [index & 15, (index >> 4) & 15, index >> 8].map((part) => syllables[part]).join('')
})

function asWords(payload: Buffer): string {
  const bits = [...payload].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,12}/g) ?? []).map((group) => WORDS[parseInt(group, 2)]).join('-')
}

/** Methods of tools and people, from obvious long names to five bytes at a time. */
export const SENDERS: readonly Sender[] = [
  { name: 'hex, 30 bytes per name', bytes: 30, labels: (payload) => labelsOf(payload.toString('hex'), 60) },
  { name: 'hex, 8 bytes per name', bytes: 8, labels: (payload) => payload.toString('hex') },
  { name: 'base32, 35 bytes per name', bytes: 35, labels: (payload) => labelsOf(base32(payload), 56) },
  { name: 'base32, 10 bytes per name', bytes: 10, labels: (payload) => base32(payload) },
  { name: 'base32, 5 bytes per name', bytes: 5, labels: (payload) => base32(payload) },
  {
    name: 'base64url, 45 bytes per name',
    bytes: 45,
    labels: (payload) => labelsOf(payload.toString('base64url'), 60),
  },
  { name: 'base64url, 6 bytes per name', bytes: 6, labels: (payload) => payload.toString('base64url') },
  { name: 'UUID, 16 bytes per name', bytes: 16, labels: () => randomUUID() },
  { name: 'words, 6 bytes per name', bytes: 6, labels: asWords },
  {
    name: 'like dnscat2',
    bytes: 60,
    labels: (payload, index) =>
      labelsOf(
        randomBytes(4).toString('hex') + index.toString(16).padStart(4, '0') + payload.toString('hex'),
        60,
      ),
  },
  {
    name: 'like DNSExfiltrator',
    bytes: 90,
    labels: (payload, index) => `${String(index)}.${labelsOf(payload.toString('base64url'), 63)}`,
  },
  {
    name: 'like Cobalt Strike',
    bytes: 24,
    labels: (payload, index) =>
      `post.1${payload.toString('hex')}.${index.toString(16)}${createHash('md5').update(payload).digest('hex').slice(0, 7)}`,
  },
  { name: 'like iodine, raw bytes', bytes: 55, labels: (payload) => payload.toString('latin1') },
]
