import { X509Certificate } from 'node:crypto'

/** What curl and OpenSSL take for a certificate in PEM, among comments and with any line ends. */
const BLOCK = /-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[^-]*-----END \1-----/g

/** The certificates of a bundle in PEM, in order, whatever is between them. */
export function certificateBlocks(text: string): readonly string[] {
  return [...text.matchAll(BLOCK)].map(([block]) => block.replaceAll('\r', ''))
}

/** Whether every certificate that begins in the text also ends. */
export function isWhole(text: string): boolean {
  const begun = text.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/g)?.length ?? 0
  return begun === certificateBlocks(text).length
}

/** Whether a block can be read. Trust settings of OpenSSL stand behind the certificate, which knows its own length. */
export function isCertificate(block: string): boolean {
  const bytes = Buffer.from(block.replace(/-----[^-]*-----|\s/g, ''), 'base64')
  const first = bytes[1] ?? 0
  const size = first < 0x80 ? 0 : first & 0x7f
  if (bytes[0] !== 0x30 || size > 4 || bytes.length < 2 + size) return false
  const length = size === 0 ? first : bytes.readUIntBE(2, size)
  try {
    new X509Certificate(bytes.subarray(0, 2 + size + length))
    return true
  } catch {
    return false
  }
}
