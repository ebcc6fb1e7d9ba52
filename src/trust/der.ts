/** One element of DER: its tag, and where its content and the element end. */
interface Element {
  readonly tag: number
  readonly start: number
  readonly content: number
  readonly end: number
}

/** The parts of a certificate (RFC 5280, section 4.1) that stores of certificates index, each as its whole element of DER. */
export interface CertificateParts {
  readonly serial: Buffer
  readonly issuer: Buffer
  readonly subject: Buffer
}

/** For certificates that this program or the host's own bundle supplies; throws a RangeError for anything else. */
export function certificateParts(der: Buffer): CertificateParts {
  const certificate = elementAt(der, 0)
  const signed = elementAt(der, certificate.content)
  const parts = childrenOf(der, signed)
  // The version is left out in certificates of version 1.
  const [serial, , issuer, , subject] = parts[0]?.tag === 0xa0 ? parts.slice(1) : parts
  const bytes = (element: Element | undefined) => der.subarray(element?.start ?? 0, element?.end ?? 0)
  return { serial: bytes(serial), issuer: bytes(issuer), subject: bytes(subject) }
}

export function childrenOf(der: Buffer, { content, end }: Pick<Element, 'content' | 'end'>): Element[] {
  const found: Element[] = []
  for (let at = content; at < end;) {
    const element = elementAt(der, at)
    found.push(element)
    at = element.end
  }
  return found
}

export function elementAt(der: Buffer, start: number): Element {
  const tag = der.readUInt8(start)
  const first = der.readUInt8(start + 1)
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const length = lengthBytes === 0 ? first : der.readUIntBE(start + 2, lengthBytes)
  const content = start + 2 + lengthBytes
  if (content + length > der.length) throw new RangeError('the element is longer than its bytes')
  return { tag, start, content, end: content + length }
}

/** An element with this tag. */
export function encode(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
