// Sandbox a resets connections as soon as they are made, at every listener; sandbox b asks before and afterwards.
import net from 'node:net'
import { ask, sleep, startGateway } from '../lib/kit.mjs'
const g = await startGateway('allow: [{ host: y.example }]\n')
const before = await ask(g.p.forward, 'http://x.example/', {
  from: '127.0.0.3',
  headers: { host: 'x.example' },
})
const reset = (port, sent) =>
  new Promise((done) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    socket.on('error', done).on('close', done)
    socket.on('connect', () => {
      if (sent) socket.write(sent)
      socket.resetAndDestroy()
    })
  })
for (let round = 0; round < 20 && g.exited() === null; round += 1)
  for (const port of [g.p.http, g.p.https, g.p.forward, g.p.reverse, g.p.dnsTcp])
    await Promise.all(Array.from({ length: 40 }, (_, i) => reset(port, i % 2 ? 'GET / HTTP/1.1\r\n' : '')))
await sleep(500)
const after =
  g.exited() === null
    ? await ask(g.p.forward, 'http://x.example/', { from: '127.0.0.3', headers: { host: 'x.example' } })
    : {}
g.stop()
const right = before.status === 403 && after.status === 403
console.log(
  right
    ? 'the gateway answers after 4,000 resets'
    : `before ${before.status}, after ${after.status}: ${g.err().slice(0, 300)}`,
)
process.exit(right ? 0 : before.status === 403 ? 1 : 2)
