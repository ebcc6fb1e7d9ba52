import { createHash } from 'node:crypto'
import { certificateParts } from './der.js'
import { sqliteTable, type SqliteValue } from './sqlite-file.js'

/*
 * `cert9.db` is a table of objects of PKCS #11: one column for each attribute, named after its number. A certificate is trusted if
 * a second object says so.
 */

/** Every attribute that NSS asks for: it takes an error for a damaged database. */
const COLUMNS =
  'a0 a1 a2 a3 a10 a11 a12 a80 a81 a82 a83 a84 a85 a86 a87 a88 a89 a8a a8b a90 a100 a101 a102 a103 a104 a105 a106 a107 a108 a109 a10a a10b a10c a110 a111 a120 a121 a122 a123 a124 a125 a126 a127 a128 a129 a130 a131 a132 a133 a134 a160 a161 a162 a163 a164 a165 a166 a170 a180 a181 a200 a201 a202 a210 a300 a301 a302 a400 a401 a402 a403 a404 a405 a406 a480 a481 a482 a500 a501 a502 a503 a40000211 a40000212 a80000001 ace534351 ace534352 ace534353 ace534354 ace534355 ace534356 ace534357 ace534358 ace534364 ace534365 ace534366 ace534367 ace534368 ace534369 ace534373 ace534374 ace536351 ace536352 ace536353 ace536354 ace536355 ace536356 ace536357 ace536358 ace536359 ace53635a ace53635b ace53635c ace53635d ace53635e ace53635f ace536360 ace5363b4 ace5363b5 ad5a0db00'.split(
    ' ',
  )

const TRUE = Buffer.from([1])
const FALSE = Buffer.from([0])
const CERTIFICATE_OBJECT = Buffer.from('00000001', 'hex')
const TRUST_OBJECT = Buffer.from('ce534353', 'hex')
const X509 = Buffer.from('00000000', 'hex')
const TRUSTED_TO_ISSUE = Buffer.from('ce534352', 'hex')
const MUST_VERIFY = Buffer.from('ce53435b', 'hex')
/** What NSS writes for a value of no bytes, since NULL means that there is no such attribute. */
const EMPTY = Buffer.from('a5005a', 'hex')

/**
 * The certificate database of NSS (`cert9.db`) with one authority that servers are trusted by. Chromium, Playwright's browsers
 * and other clients of NSS read it in `~/.pki/nssdb`, where they create their database of keys themselves.
 *
 * @param der the authority's certificate
 */
export function nssDatabase(der: Buffer, label: string): Buffer {
  const { serial, issuer, subject } = certificateParts(der)
  const digest = (name: string) => createHash(name).update(der).digest()
  const common = { a1: TRUE, a2: FALSE, a81: issuer, a82: serial, a170: TRUE }
  const certificate = {
    ...common,
    a0: CERTIFICATE_OBJECT,
    a3: Buffer.from(label),
    a11: der,
    a80: X509,
    a101: subject,
    a102: digest('sha1'),
  }
  const trust = {
    ...common,
    a0: TRUST_OBJECT,
    a3: EMPTY,
    ace536358: TRUSTED_TO_ISSUE,
    ace536359: MUST_VERIFY,
    ace53635a: MUST_VERIFY,
    ace53635b: MUST_VERIFY,
    ace536360: FALSE,
    ace5363b4: digest('sha1'),
    ace5363b5: digest('md5'),
  }
  return sqliteTable({
    name: 'nssPublic',
    definition: `CREATE TABLE nssPublic (id PRIMARY KEY UNIQUE ON CONFLICT ABORT, ${COLUMNS.join(', ')})`,
    rows: [certificate, trust].map((object, index) => {
      const attributes = new Map<string, SqliteValue>(Object.entries(object))
      return [index + 1, ...COLUMNS.map((column) => attributes.get(column) ?? null)]
    }),
  })
}
