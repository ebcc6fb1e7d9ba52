import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { hasPackage, PYTHON, STAND_INS } from '#examples/stand-ins/s3.js'

/** Why what needs botocore is skipped, or false. */
export const WITHOUT_BOTO3 = hasPackage('boto3') ? false : 'python3-boto3 is not installed'

/** A request head of which the signature is asked. */
export interface OracleRequest {
  readonly method: string
  /** Without `X-Amz-Signature`. */
  readonly url: string
  /** Those that are signed. */
  readonly headers: Readonly<Record<string, string>>
  readonly payload_hash: string
  readonly timestamp: string
  readonly region: string
  readonly service: string
  readonly secret: string
}

/** botocore, in a process of its own. */
export function startOracle() {
  const child = spawn(PYTHON, ['-B', `${STAND_INS}aws_signature.py`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    /** One at a time: the answers come in the order of the questions. */
    async sign(request: OracleRequest): Promise<{ readonly signature: string; readonly text: string }> {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const { value } = (await lines.next()) as { value: string | undefined }
      if (value === undefined) throw new Error('botocore is gone')
      return JSON.parse(value) as { signature: string; text: string }
    },
    close: () => void child.stdin.end(),
  }
}
