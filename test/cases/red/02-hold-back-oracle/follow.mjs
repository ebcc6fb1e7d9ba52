// A log or chat that can be followed (kubectl logs -f, job traces, ntfy): what is said is streamed to who listens.
import { createServer } from 'node:http'
let follower = null
createServer((q, s) => {
  if (q.headers.authorization !== `Bearer ${process.env.REAL}`) {
    s.writeHead(401)
    return s.end()
  }
  if (q.url === '/follow') {
    s.writeHead(200, { 'content-type': 'text/plain' })
    s.write('hello|')
    follower = s
    return
  }
  const b = []
  q.on('data', (c) => b.push(c)).on('end', () => {
    follower?.write(process.env.LINES ? 'data: ' + Buffer.concat(b) + '\n\n' : Buffer.concat(b))
    s.writeHead(204)
    s.end()
  })
}).listen(+process.env.PORT, '127.0.0.1')
