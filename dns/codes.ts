/** DNS numbers that this resolver uses. Source: the IANA registry "Domain Name System (DNS) Parameters". */

export const CLASS_IN = 1

export const TYPE = { A: 1, SOA: 6, AAAA: 28, OPT: 41, ANY: 255 } as const

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** RFC 6891 section 6.1.3: needs the upper eight bits in OPT. */
  BADVERS: 16,
} as const

/** Extended DNS Errors, RFC 8914 section 4. */
export const EDE = {
  OTHER: 0,
  NOT_READY: 14,
  BLOCKED: 15,
  FILTERED: 17,
  PROHIBITED: 18,
  NOT_SUPPORTED: 21,
} as const

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [10, 'NULL'],
  [12, 'PTR'],
  [13, 'HINFO'],
  [15, 'MX'],
  [16, 'TXT'],
  [25, 'KEY'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [39, 'DNAME'],
  [41, 'OPT'],
  [43, 'DS'],
  [44, 'SSHFP'],
  [46, 'RRSIG'],
  [47, 'NSEC'],
  [48, 'DNSKEY'],
  [52, 'TLSA'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [251, 'IXFR'],
  [252, 'AXFR'],
  [255, 'ANY'],
  [256, 'URI'],
  [257, 'CAA'],
])

const CLASS_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'IN'],
  [3, 'CH'],
  [4, 'HS'],
  [254, 'NONE'],
  [255, 'ANY'],
])

const RCODE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(RCODE).map(([name, code]) => [code, name]),
)

/** The name of a type, or `TYPE65280` for one that is not in the table (RFC 3597 section 5). */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`
}

/** The name of a class, or `CLASS42` for one that is not in the table (RFC 3597 section 5). */
export function className(value: number): string {
  return CLASS_NAMES.get(value) ?? `CLASS${value}`
}

export function rcodeName(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`
}
