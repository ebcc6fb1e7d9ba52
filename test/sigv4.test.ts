import { SignatureV4 } from '@smithy/signature-v4'
import t from 'tap'
import { randomBelow } from './fixtures/random.js'
import { startOracle, WITHOUT_BOTO3 } from './fixtures/sigv4-oracle.js'
import { oracleRequest, randomRequest, resignedByProduct, signedBySdk } from './fixtures/sigv4-requests.js'

void t.test(
  'signatures agree with those of botocore and of the AWS SDK (npm run fuzz:sigv4 tries more)',
  { skip: WITHOUT_BOTO3 },
  async (t) => {
    const oracle = startOracle()
    const below = randomBelow(20_130_524)
    let agreed = 0
    for (let count = 0; count < 300; count += 1) {
      const random = randomRequest(below)
      const resigned = await resignedByProduct(random)
      if (resigned === null) throw new Error(`no path that the proxy passes on: ${random.target}`)
      const botocore = await oracle.sign(oracleRequest(random, resigned))
      const sdk = await signedBySdk(SignatureV4, random, resigned)
      if (botocore.signature === resigned.signature && sdk === resigned.signature) agreed += 1
      else t.strictSame({ botocore: botocore.signature, sdk }, resigned.signature, JSON.stringify(random))
    }
    t.equal(agreed, 300)
    oracle.close()
  },
)
