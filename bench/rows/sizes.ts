import { policyOf } from '../workers/bench-policy.js'
import { Stage } from '../workers/stage.js'
import type { BenchRow } from './row.js'

/** A policy of so many hosts: the last are about as many as a file of 1 MiB holds, which is its limit. */
export const rules: BenchRow = {
  id: 'rules',
  title: 'HTTP, by the number of hosts in the policy',
  unit: 'requests/s',
  async open({ roundMs: milliseconds }) {
    const stage = await Stage.open()
    const { http: port } = stage.ports
    const contenders = []
    for (const size of [10, 1_000, 30_000]) {
      const hosts = Array.from({ length: size }, (_, i) => `  - host: h${String(i)}.example\n`)
      const gateway = await stage.gateway(
        policyOf('http', port, stage.ca, `allow:\n${hosts.join('')}upstream:\n  hosts:\n`),
      )
      const name = `egress serve, ${size.toLocaleString('en')} hosts`
      contenders.push(stage.loaded(name, gateway, { port: gateway.ready.http, milliseconds }))
    }
    return stage.contest(contenders)
  },
}

/** The same requests, from so many sandboxes. */
export const sandboxes: BenchRow = {
  id: 'sandboxes',
  title: 'HTTP, 250 to 500 connections, by the number of sandboxes',
  unit: 'requests/s',
  async open({ roundMs: milliseconds }) {
    const stage = await Stage.open()
    const contenders = []
    for (const addresses of [1, 50, 500]) {
      // Each has a gateway of its own: what it holds for them is seen.
      const gateway = await stage.gateway(policyOf('http', stage.ports.http, stage.ca))
      const name = `egress serve, ${String(addresses)} ${addresses === 1 ? 'sandbox' : 'sandboxes'}`
      const order = {
        port: gateway.ready.http,
        connections: addresses === 500 ? 500 : 250,
        addresses,
        milliseconds,
      }
      contenders.push(stage.loaded(name, gateway, order))
    }
    return stage.contest(contenders)
  },
}
