import * as z from 'zod'
import { field, text } from './parts.js'

/** How the gateway finds and reaches upstreams. */
export const upstream = z.strictObject({
  hosts: field(
    z.record(text, text),
    'fixed upstream addresses by host name: `address` or `address:port`',
    'hosts: { api.example.com: 127.0.0.1:8443 }',
  ).optional(),
  servers: field(
    z.array(text).min(1),
    'DNS servers for upstream names, as `address` or `address:port`',
    'servers: [127.0.0.1:53]',
  ).optional(),
  proxy: field(
    text,
    'a proxy through which the gateway reaches upstreams, or `environment` for its own HTTPS_PROXY, HTTP_PROXY and NO_PROXY',
    'proxy: "http://user:${PASSWORD}@proxy.example:3128"',
  ).optional(),
  no_proxy: field(
    z.array(text).min(1),
    'upstreams to reach without the proxy: names with all names below them, `host:port`, address ranges, or `*`',
    'no_proxy: [corp.example, 10.0.0.0/8]',
  ).optional(),
})
