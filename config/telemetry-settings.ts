import { SettingsError } from './settings.js'

/** Where traces and logs go, over OTLP/HTTP. */
export interface TelemetrySettings {
  /** The collector, without `/v1/traces`. */
  readonly endpoint: string
}

/** Reads `EGRESS_OTLP_ENDPOINT`. Null for no telemetry, which is the default. @throws SettingsError */
export function readTelemetrySettings(
  env: Readonly<Record<string, string | undefined>>,
): TelemetrySettings | null {
  const text = env['EGRESS_OTLP_ENDPOINT'] ?? ''
  if (text === '') return null
  const url = URL.canParse(text) ? new URL(text) : null
  const isHttp = url !== null && ['http:', 'https:'].includes(url.protocol)
  if (url === null || !isHttp || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new SettingsError(
      'Invalid value for EGRESS_OTLP_ENDPOINT',
      'Set it to the http:// or https:// URL of a collector, such as http://collector:4318',
    )
  return { endpoint: url.href.replace(/\/+$/, '') }
}
