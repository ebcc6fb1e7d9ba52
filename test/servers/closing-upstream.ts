import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort } from 'node:worker_threads'

// An upstream in a thread of its own that closes each connection at some moment after its response, in whatever way, without having
// said so: some at once, some while the next request is on its way. It counts how often it carried each request out.

const counts = new Map<string, number>()

const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
  const { socket, url = '' } = request
  request.resume()
  request.on('end', () => {
    counts.set(url, (counts.get(url) ?? 0) + 1)
    response.setHeader('connection', 'keep-alive')
    response.end(url)
    const random = Math.random()
    if (random < 0.1) return
    const close = () => (random < 0.9 ? socket.destroy() : socket.resetAndDestroy())
    if (random < 0.3) setImmediate(close)
    else setTimeout(close, Math.random() * 6)
  })
})

server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port))

parentPort?.on('message', () => {
  parentPort?.postMessage([...counts].filter(([, count]) => count !== 1))
})
