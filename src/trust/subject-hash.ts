import { createHash } from 'node:crypto'
import { certificateParts, childrenOf, elementAt, encode } from './der.js'

const UTF8_STRING = 0x0c
const SET = 0x31
const SEQUENCE = 0x30
/** The types of strings that OpenSSL converts before it compares names. */
const STRINGS = [UTF8_STRING, 0x12, 0x13, 0x14, 0x16, 0x1a]

/**
 * The name under which OpenSSL looks for an authority in a directory of certificates: eight digits of a hash of its subject
 * (`openssl x509 -subject_hash`). Every attribute is in UTF-8, lower case, with single spaces.
 */
export function subjectHash(der: Buffer): string {
  const { subject } = certificateParts(der)
  const names = childrenOf(subject, elementAt(subject, 0)).map((set) =>
    encode(
      SET,
      Buffer.concat(
        childrenOf(subject, set).map((attribute) => {
          const [type, value] = childrenOf(subject, attribute)
          if (type === undefined || value === undefined) return Buffer.alloc(0)
          const bytes = subject.subarray(value.content, value.end)
          const canonical = STRINGS.includes(value.tag)
            ? encode(UTF8_STRING, Buffer.from(canonicalText(bytes.toString('utf8'))))
            : subject.subarray(value.start, value.end)
          return encode(SEQUENCE, Buffer.concat([subject.subarray(type.start, type.end), canonical]))
        }),
      ),
    ),
  )
  const digest = createHash('sha1').update(Buffer.concat(names)).digest()
  return digest.readUInt32LE(0).toString(16).padStart(8, '0')
}

function canonicalText(text: string): string {
  return text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
