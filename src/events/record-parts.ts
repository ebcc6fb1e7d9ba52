import type { SandboxRef } from '#firewall/contracts/identity.js'
import { jsonText } from './json-text.js'

/** The fields of every record. `sequence` counts the records of one role, over rotation and restart, from 0. */
export interface Header {
  /** ISO 8601, UTC. */
  readonly time: string
  readonly sequence: number
  /** Name of the gateway process. */
  readonly observer: string
  /** SHA-256 of the line before it, in hexadecimal; null for the first. */
  readonly previous: string | null
}

const ECS = { version: '8.17.0' }

/** The first fields of every record. */
export function begin({ time, observer }: Header): string {
  return `{"@timestamp":"${time}","ecs":{"version":"${ECS.version}"},"observer":{"name":${jsonText(observer)},"type":"firewall"},`
}

export function beginning({ time, observer }: Header): Readonly<Record<string, unknown>> {
  return { '@timestamp': time, ecs: ECS, observer: { name: observer, type: 'firewall' } }
}

export function jsonSandbox(sandbox: SandboxRef | null): string {
  if (sandbox === null) return 'null'
  const { id, agent, labels = [] } = sandbox
  return `{"id":${jsonText(id)},"agent":${jsonText(agent)},"labels":[${labels.map(jsonText).join()}]}`
}

/** Whoever knows more of a sandbox hands it over as it is; no more than this gets into a record. */
export function refOf(sandbox: SandboxRef | null): Required<SandboxRef> | null {
  if (sandbox === null) return null
  const { id, agent, labels = [] } = sandbox
  return { id, agent, labels }
}
