import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '#test/servers/free-port.js'
import { findProgram } from './find-program.js'
import type { Worker } from './processes.js'

/** Ports of its two versions of HTTP, both without TLS. */
export interface NginxPorts {
  readonly http1: number
  readonly http2: number
}

/** nginx with one worker, an upstream keep-alive pool and no log; null if it is not installed. */
export async function startNginx(upstreamPort: number): Promise<Worker<NginxPorts> | null> {
  const program = findProgram('nginx')
  if (program === null) return null
  const directory = mkdtempSync(join(tmpdir(), 'egress-nginx-'))
  const [http1, http2] = [await freePort(), await freePort()]
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ')
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${directory}/pid; error_log stderr error;
events { worker_connections 512; }
http {
  access_log off; ${temporary}
  upstream local { server 127.0.0.1:${String(upstreamPort)}; keepalive 64; keepalive_requests 1000000000; }
  keepalive_requests 1000000000; client_max_body_size 0; proxy_buffering off; proxy_request_buffering off;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${String(http1)}; listen 127.0.0.1:${String(http2)} http2;
    location / { proxy_pass http://local; proxy_http_version 1.1; proxy_set_header Connection $connection_upgrade; proxy_set_header Upgrade $http_upgrade; }
  }
}
`,
  )
  const child = spawn(program, ['-p', directory, '-c', join(directory, 'nginx.conf')], { stdio: 'inherit' })
  await untilOpen(http2)
  return {
    pid: child.pid ?? 0,
    ready: { http1, http2 },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => {
          rmSync(directory, { recursive: true, force: true })
          resolve()
        })
        child.kill()
      }),
  }
}

/** Waits until a server that was just started accepts connections. */
export async function untilOpen(port: number): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('The server is not responding')
}
