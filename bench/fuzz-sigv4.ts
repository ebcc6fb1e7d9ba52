import { randomInt } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import {
  oracleRequest,
  randomRequest,
  resignedByProduct,
  signedBySdk,
} from '#test/fixtures/sigv4-requests.js'
import { startOracle } from '#test/fixtures/sigv4-oracle.js'
import { randomBelow } from '#test/fixtures/random.js'

// Random requests that the gateway signs again. Compares the signatures with botocore's for the request on the wire, and with
// those of the AWS SDK for JavaScript for the client's intended request. Fails at the first difference.
//
//     npm run fuzz:sigv4 -- [REQUESTS] [SEED]

const REQUESTS = Number(process.argv[2] ?? 10_000)
const SEED = Number(process.argv[3] ?? randomInt(2 ** 31))

const oracle = startOracle()
const below = randomBelow(SEED)
let compared = 0
let refused = 0
while (compared < REQUESTS) {
  const random = randomRequest(below)
  const resigned = await resignedByProduct(random)
  if (resigned === null) {
    refused += 1
    continue
  }
  const botocore = await oracle.sign(oracleRequest(random, resigned))
  const sdk = await signedBySdk(SignatureV4, random, resigned)
  if (botocore.signature !== resigned.signature || sdk !== resigned.signature) {
    console.error({ seed: SEED, random, sent: resigned, botocore, sdk })
    process.exit(1)
  }
  compared += 1
}
oracle.close()
console.log(
  `${String(compared)} signatures agree with botocore and the AWS SDK; the proxy denied ${String(refused)} paths (seed ${String(SEED)})`,
)
