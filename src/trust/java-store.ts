import { createHash } from 'node:crypto'

const MAGIC = 0xfeedfeed
const VERSION = 2
const TRUSTED_CERTIFICATE = 2

/**
 * The password of every JDK's own store. It protects nothing, since the file is public: Java's default trust manager does not even
 * use one. keytool, Maven and build scripts ask with this one.
 */
const PASSWORD = 'changeit'

/** The end of the digest's input, as `sun.security.provider.JavaKeyStore` has it. */
const SALT = 'Mighty Aphrodite'

/**
 * A Java key store of the format JKS with trusted certificates. Of the formats that a JDK reads, only this one needs no password:
 * without one, a JDK skips the digest at the end, whereas certificates in PKCS #12 are usually encrypted.
 *
 * @param certificates in DER
 * @param at milliseconds since 1970, the time of creation of the entries
 */
export function javaStore(certificates: readonly Buffer[], at: number): Buffer {
  const entries = certificates.map((der, index) => entry(`ca-${String(index)}`, der, at))
  const content = Buffer.concat([uint32(MAGIC), uint32(VERSION), uint32(certificates.length), ...entries])
  const digest = createHash('sha1')
    .update(Buffer.from(PASSWORD, 'utf16le').swap16())
    .update(SALT)
    .update(content)
    .digest()
  return Buffer.concat([content, digest])
}

function entry(alias: string, der: Buffer, at: number): Buffer {
  const time = Buffer.alloc(8)
  time.writeBigInt64BE(BigInt(at))
  return Buffer.concat([
    uint32(TRUSTED_CERTIFICATE),
    text(alias),
    time,
    text('X.509'),
    uint32(der.length),
    der,
  ])
}

/** As `DataOutput.writeUTF` writes ASCII. */
function text(ascii: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(ascii.length)
  return Buffer.concat([length, Buffer.from(ascii, 'latin1')])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
