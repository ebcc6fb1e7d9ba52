import { writeFileSync } from 'node:fs'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import t, { type Test } from 'tap'
import { callWithGrpcurl, runPython, WITHOUT_GRPCIO, WITHOUT_GRPCURL } from './fixtures/grpc-clients.js'
import { startGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { ECHO } from './servers/grpc.js'

// A denied call prints our reason, in the clients of three languages.

const HOST = 'calls.example'
const SAID =
  'egress: denied-by-rule: A rule of this destination denies this method and path. (allow[0].rules[0])'

async function setUp(t: Test) {
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination(`https://${HOST}`, ['deny GRPC test.v1.Echo/Delete', 'allow GRPC test.v1.Echo/*'], {
          id: 'allow[0]',
        }),
      ],
    }),
  )
  const directory = t.testdir({})
  const bundle = `${directory}/ca.pem`
  writeFileSync(bundle, gateway.ca)
  t.teardown(() => gateway.close())
  const proxy = `http://127.0.0.1:${String(gateway.ports.forward)}`
  const wasDenied = () =>
    t.match(gateway.decisions, [
      {
        verdict: 'deny',
        reason: 'denied-by-rule',
        method: 'POST',
        path: '/test.v1.Echo/Delete',
        status: 403,
      },
    ])
  return { gateway, where: { proxy, bundle, directory }, wasDenied }
}

void t.test('grpc-js', async (t) => {
  const { gateway, wasDenied, where } = await setUp(t)
  process.env['grpc_proxy'] = where.proxy
  const client = new Client(`${HOST}:443`, credentials.createSsl(Buffer.from(gateway.ca)))
  Reflect.deleteProperty(process.env, 'grpc_proxy')
  t.teardown(() => client.close())
  const { path, requestSerialize, responseDeserialize } = ECHO.Delete
  const error = await new Promise<ServiceError | null>((resolve) =>
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, 'x', resolve),
  )
  t.match(error, { code: 7, details: SAID })
  wasDenied()
})

void t.test('grpcio', { skip: WITHOUT_GRPCIO }, async (t) => {
  const { where, wasDenied } = await setUp(t)
  t.match(await runPython(where, HOST, 'denied'), `delete PERMISSION_DENIED ${SAID}`)
  wasDenied()
})

void t.test('grpcurl', { skip: WITHOUT_GRPCURL, timeout: 300_000 }, async (t) => {
  const { where, wasDenied } = await setUp(t)
  const printed = await callWithGrpcurl(where, HOST, 'Delete', ['x'])
  t.match(printed, 'Code: PermissionDenied')
  t.match(printed, SAID)
  wasDenied()
})
