import t from 'tap'
import { className, EDE, RCODE, rcodeName, TYPE, typeName } from './codes.js'

// As the IANA registries have them: records are read by these names.

void t.test('types, classes and response codes by their numbers', (t) => {
  const types = {
    ...{
      A: 1,
      NS: 2,
      CNAME: 5,
      SOA: 6,
      NULL: 10,
      PTR: 12,
      HINFO: 13,
      MX: 15,
      TXT: 16,
      KEY: 25,
      AAAA: 28,
      SRV: 33,
    },
    ...{
      NAPTR: 35,
      DNAME: 39,
      OPT: 41,
      DS: 43,
      SSHFP: 44,
      RRSIG: 46,
      NSEC: 47,
      DNSKEY: 48,
      TLSA: 52,
      SVCB: 64,
    },
    ...{ HTTPS: 65, IXFR: 251, AXFR: 252, ANY: 255, URI: 256, CAA: 257, TYPE3: 3, TYPE65280: 65_280 },
  }
  for (const [name, type] of Object.entries(types)) t.equal(typeName(type), name)
  for (const [name, value] of Object.entries({ IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255, CLASS2: 2 }))
    t.equal(className(value), name)
  t.strictSame(TYPE, { A: 1, SOA: 6, AAAA: 28, OPT: 41, ANY: 255 })
  const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 }
  t.strictSame(RCODE, rcodes)
  for (const [name, code] of Object.entries({ ...rcodes, RCODE9: 9 })) t.equal(rcodeName(code), name)
  t.strictSame(EDE, { OTHER: 0, NOT_READY: 14, BLOCKED: 15, FILTERED: 17, PROHIBITED: 18, NOT_SUPPORTED: 21 })
  t.end()
})
