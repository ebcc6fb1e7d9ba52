import { aws, s3 } from './aws.js'
import { errorObject } from './error-object.js'
import { errorText } from './error-text.js'
import { graphql } from './graphql.js'
import { grpc } from './grpc.js'
import { jsonRpc } from './json-rpc.js'
import { plainText } from './plain-text.js'
import { problem } from './problem.js'
import type { Asker, ErrorMessage, ErrorResponse, ErrorShape } from './shape.js'

/** In the order in which they are asked; the last one takes all that is left. */
export const ERROR_SHAPES: readonly ErrorShape[] = [
  grpc,
  s3,
  aws,
  jsonRpc,
  graphql,
  errorObject,
  errorText,
  plainText,
  problem,
]

/** The answer in the shape that the client reads. */
export function writeError(message: ErrorMessage, asker: Asker): ErrorResponse {
  const shape = ERROR_SHAPES.find((one) => one.recognises(asker)) ?? problem
  return shape.write(message, asker)
}
