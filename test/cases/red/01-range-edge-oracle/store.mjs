// An object store: PUT, GET with Range, as S3, nginx, Apache, artifact stores do it. It never says the token.
import { createServer } from 'node:http'
const files = new Map()
createServer((q, s) => {
  if (q.headers.authorization !== `Bearer ${process.env.REAL}`) {
    s.writeHead(401)
    return s.end()
  }
  if (q.method === 'PUT') {
    const b = []
    q.on('data', (c) => b.push(c)).on('end', () => {
      files.set(q.url, Buffer.concat(b))
      s.writeHead(204)
      s.end()
    })
    return
  }
  const f = files.get(q.url)
  if (!f) {
    s.writeHead(404)
    return s.end()
  }
  const m = /^bytes=(\d+)-(\d*)$/.exec(q.headers.range ?? '')
  if (!m) {
    s.writeHead(200, { 'content-length': f.length })
    return s.end(f)
  }
  const from = +m[1],
    to = Math.min(m[2] === '' ? f.length - 1 : +m[2], f.length - 1)
  s.writeHead(206, { 'content-range': `bytes ${from}-${to}/${f.length}`, 'content-length': to - from + 1 })
  s.end(f.subarray(from, to + 1))
}).listen(+process.env.PORT, '127.0.0.1')
