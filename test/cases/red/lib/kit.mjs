// One gateway on loopback through the stock lib, plus raw helpers
process.on('uncaughtException', (e) => {
  console.error('could not try:', e)
  process.exit(2)
})
process.on('unhandledRejection', (e) => {
  console.error('could not try:', e)
  process.exit(2)
})
if (!process.env.EGRESS) {
  console.error('EGRESS: path of a built checkout')
  process.exit(2)
}
import { spawn } from 'node:child_process'
import net from 'node:net'
import http from 'node:http'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync, readFileSync, existsSync } from 'node:fs'
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms))
export async function startGateway(yaml, env = {}, agents = [], files = {}) {
  const dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/r2-')
  writeFileSync(dir + '/egress.yaml', yaml)
  for (const [n, t] of Object.entries(files)) writeFileSync(dir + '/' + n, t)
  const g = spawn(
    process.execPath,
    [new URL('gateway.mjs', import.meta.url).pathname, dir + '/egress.yaml', ...agents],
    {
      cwd: dir,
      env: { ...process.env, AUDIT: dir + '/audit', CA: dir + '/ca.pem', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let err = ''
  g.stderr.on('data', (d) => {
    err += d
  })
  const first = await Promise.race([
    once(g.stdout, 'data').then((x) => String(x[0])),
    once(g, 'exit').then(() => {
      throw new Error('gateway: ' + err)
    }),
  ])
  const p = JSON.parse(first)
  let exited = null
  g.on('exit', (c, s) => {
    exited = s ?? c
  })
  const audit = () =>
    existsSync(dir + '/audit/http.ndjson')
      ? readFileSync(dir + '/audit/http.ndjson', 'utf8')
          .trim()
          .split('\n')
          .filter(Boolean)
          .map(JSON.parse)
      : []
  return {
    p,
    dir,
    proc: g,
    stop: () => g.kill('SIGKILL'),
    err: () => err,
    exited: () => exited,
    audit,
    ca: () => readFileSync(dir + '/ca.pem', 'utf8'),
  }
}
export const raw = (port, data, { from = '127.0.0.2', ms = 3000, until = null } = {}) =>
  new Promise((r) => {
    const c = net.connect({ port, host: '127.0.0.1', localAddress: from })
    let b = Buffer.alloc(0)
    const done = () => {
      c.destroy()
      r(b.toString('latin1'))
    }
    const t = setTimeout(done, ms)
    c.on('data', (d) => {
      b = Buffer.concat([b, d])
      if (until && until(b.toString('latin1'))) {
        clearTimeout(t)
        done()
      }
    })
    c.on('close', () => {
      clearTimeout(t)
      done()
    })
    c.on('error', () => {})
    c.write(data)
  })
export const ask = (
  port,
  path,
  { from = '127.0.0.2', method = 'GET', headers = {}, body = null, ms = 30000 } = {},
) =>
  new Promise((r) => {
    const t0 = performance.now()
    const q = http.request(
      {
        host: '127.0.0.1',
        port,
        localAddress: from,
        path,
        method,
        headers,
        agent: false,
        timeout: ms,
        insecureHTTPParser: true,
        maxHeaderSize: 1e6,
      },
      (s) => {
        const cs = []
        s.on('data', (d) => cs.push(d))
          .on('end', () =>
            r({
              status: s.statusCode,
              headers: s.headers,
              body: Buffer.concat(cs).toString('latin1'),
              ms: performance.now() - t0,
            }),
          )
          .on('error', (e) =>
            r({
              status: 0,
              error: e.code,
              headers: s.headers,
              body: Buffer.concat(cs).toString('latin1'),
              ms: performance.now() - t0,
            }),
          )
      },
    )
    q.on('timeout', () => q.destroy(new Error('timeout')))
    q.on('error', (e) =>
      r({ status: 0, error: e.code ?? e.message, body: '', headers: {}, ms: performance.now() - t0 }),
    )
    q.end(body)
  })
export const listen = (s) => new Promise((r) => s.listen(0, '127.0.0.1', () => r(s.address().port)))
import { execFile } from 'node:child_process'
/** b in a process of its own, and an answer that needs no upstream: nothing but the gateway can be slow. */
export const outside = (port, s = 40) =>
  new Promise((r) => {
    execFile(
      'curl',
      [
        '-s',
        '-o',
        '/dev/null',
        '-m',
        String(s),
        '--noproxy',
        '*',
        '--interface',
        '127.0.0.3',
        '-w',
        '%{http_code} %{time_total}',
        `http://127.0.0.1:${port}/nosuch/`,
      ],
      (e, out) => {
        const [status, t] = String(out).split(' ')
        r({ status: +status, ms: t * 1000 })
      },
    )
  })
