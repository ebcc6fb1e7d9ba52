import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Packet } from 'dns2'
import type { AttackerRecord } from './records.js'

/** Adds a record, with the time and the connection number. */
export type Note = (entry: Omit<AttackerRecord, 'at' | 'connection'>, connection?: number) => number

/** A name server that is authoritative for every name and records every question. */
export async function listenDns(
  addresses: Readonly<Record<string, string>>,
  note: Note,
  host: string,
): Promise<{ port: number; close: () => Promise<void> }> {
  const udp = createSocket('udp4')
  udp.on('message', (message, sender) => {
    const reply = answer(message, 'dns-udp', addresses, note)
    // Sending to port 0 throws, and a datagram can have that source port.
    if (reply !== null && sender.port !== 0) udp.send(reply, sender.port, sender.address)
  })
  const tcp = createServer((socket) => {
    serveStream(socket, (message) => answer(message, 'dns-tcp', addresses, note))
  })
  udp.bind(0, host)
  await once(udp, 'listening')
  const { port } = udp.address()
  tcp.listen(port, host)
  await once(tcp, 'listening')
  const open = new Set<Socket>()
  tcp.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return {
    port,
    close: async () => {
      udp.close()
      tcp.close()
      for (const socket of open) socket.destroy()
      await once(tcp, 'close')
    },
  }
}

function answer(
  message: Buffer,
  via: 'dns-udp' | 'dns-tcp',
  addresses: Readonly<Record<string, string>>,
  note: Note,
): Buffer | null {
  const bytes = message.toString('base64')
  const query = decode(message)
  const question = query?.questions[0]
  if (query === null || question === undefined) {
    note({ via, bytes, serverName: null, question: null })
    return null
  }
  note({ via, bytes, serverName: null, question: { name: question.name, type: question.type } })
  const response = Packet.createResponseFromRequest(query)
  response.header.aa = 1
  if (question.type === Packet.TYPE.A) {
    const address = addresses[question.name.toLowerCase()] ?? '127.0.0.1'
    response.answers.push(Packet.createResourceFromQuestion(question, { address, ttl: 0 }))
  }
  return response.toBuffer()
}

/** Null if it is not a DNS query: the attacker's server must survive anything that arrives. */
function decode(message: Buffer): Packet | null {
  try {
    return Packet.parse(message)
  } catch {
    return null
  }
}

/** RFC 1035 section 4.2.2: each message follows its length in two bytes. */
function serveStream(socket: Socket, reply: (message: Buffer) => Buffer | null): void {
  let pending = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0)
      const response = reply(pending.subarray(2, end))
      pending = pending.subarray(end)
      if (response === null) continue
      const length = Buffer.alloc(2)
      length.writeUInt16BE(response.length)
      socket.write(Buffer.concat([length, response]))
    }
  })
}
