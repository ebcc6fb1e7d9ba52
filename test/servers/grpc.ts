import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'

// A gRPC server with a method of every shape. Messages are `message Text { string text = 1; }`.

export const PROTO = `syntax = "proto3";
package test.v1;
message Text { string text = 1; }
service Echo {
  rpc Unary(Text) returns (Text);
  rpc Collect(stream Text) returns (Text);
  rpc Repeat(Text) returns (stream Text);
  rpc Chat(stream Text) returns (stream Text);
  rpc Sleep(Text) returns (Text);
  rpc Delete(Text) returns (Text);
}
`

export function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length: number[] = []
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) break
  }
  return bytes.length === 0 ? bytes : Buffer.concat([Buffer.from([0x0a, ...length]), bytes])
}

export function decodeText(message: Buffer): string {
  let at = 1
  while ((message[at] ?? 0) > 0x7f) at += 1
  return message.subarray(at + 1).toString()
}

const method = (
  name: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<string, string> => ({
  path: `/test.v1.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: encodeText,
  requestDeserialize: decodeText,
  responseSerialize: encodeText,
  responseDeserialize: decodeText,
})

export const ECHO = {
  Unary: method('Unary', false, false),
  Collect: method('Collect', true, false),
  Repeat: method('Repeat', false, true),
  Chat: method('Chat', true, true),
  Sleep: method('Sleep', false, false),
  Delete: method('Delete', false, false),
} satisfies ServiceDefinition

export interface GrpcServer {
  readonly port: number
  /** The methods that were called, with the value of `authorization`. */
  readonly calls: (readonly [method: string, authorization: string])[]
  /** Calls that their clients have cancelled. */
  readonly cancelled: string[]
  close(): void
}

interface Call {
  readonly metadata: Metadata
  readonly request: string
  readonly cancelled: boolean
  on(event: 'data', listener: (text: string) => void): Call
  on(event: 'end' | 'cancelled', listener: () => void): Call
  write(text: string): void
  end(trailers?: Metadata): void
}
type Answer = (error: unknown, text?: string, trailers?: Metadata) => void

/** @param secret what it sends back where it is asked for `secret` */
export async function startGrpc(
  cert: { key: Buffer | string; cert: Buffer | string },
  secret: string,
  host = '127.0.0.1',
): Promise<GrpcServer> {
  const calls: (readonly [string, string])[] = []
  const cancelled: string[] = []
  const server = new Server()
  const note = (name: string, call: Call) => {
    calls.push([name, String(call.metadata.get('authorization')[0] ?? '')])
    call.on('cancelled', () => cancelled.push(name))
  }
  const trailers = () => {
    const metadata = new Metadata()
    metadata.set('x-secret', `a ${secret}`)
    metadata.set('x-secret-bin', Buffer.from(`\0${secret}\xff`, 'latin1'))
    return metadata
  }
  const said = (text: string) => (text === 'secret' ? `it is ${secret}` : `hello ${text}`)
  server.addService(ECHO, {
    Unary(call: Call, answer: Answer) {
      note('Unary', call)
      if (call.request === 'fail')
        answer({ code: status.NOT_FOUND, details: `no ${secret} here`, metadata: trailers() })
      else answer(null, said(call.request), trailers())
    },
    Collect(call: Call, answer: Answer) {
      note('Collect', call)
      const texts: string[] = []
      call.on('data', (text) => texts.push(text)).on('end', () => answer(null, said(texts.join('+'))))
    },
    Repeat(call: Call) {
      note('Repeat', call)
      for (let i = 0; i < 3; i += 1) call.write(`${said(call.request)} ${String(i)}`)
      call.end(trailers())
    },
    Chat(call: Call) {
      note('Chat', call)
      call.on('data', (text) => call.write(said(text))).on('end', () => call.end(trailers()))
    },
    Sleep(call: Call, answer: Answer) {
      note('Sleep', call)
      setTimeout(() => answer(null, 'late'), 60_000).unref()
    },
    Delete(call: Call, answer: Answer) {
      note('Delete', call)
      answer(null, 'deleted')
    },
  } as unknown as UntypedServiceImplementation)
  const credentials = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(cert.key), cert_chain: Buffer.from(cert.cert) },
  ])
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${host}:0`, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  return { port, calls, cancelled, close: () => server.forceShutdown() }
}
