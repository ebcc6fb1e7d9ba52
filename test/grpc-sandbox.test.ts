import t from 'tap'
import { callFromSandbox } from './fixtures/grpc-in-sandbox.js'
import { WITHOUT_GRPCIO, WITHOUT_GRPCURL } from './fixtures/grpc-clients.js'

// As grpc-calls.test.ts, from inside a sandbox and with a policy file, with namespaces.

void t.test('gRPC from a sandbox', { skip: WITHOUT_GRPCIO || WITHOUT_GRPCURL }, (t) =>
  callFromSandbox(t, 'namespaces'),
)
