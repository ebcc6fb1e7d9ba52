import { BUNDLE, BUNDLE_VARIABLES, CERTIFICATE_VARIABLES, GATEWAY_CERTIFICATE } from './clients.js'

/** The variables that tell clients which of the trust files to read. */
export function trustVariables(): Record<string, string> {
  return {
    ...Object.fromEntries(BUNDLE_VARIABLES.map((name) => [name, BUNDLE])),
    ...Object.fromEntries(CERTIFICATE_VARIABLES.map((name) => [name, GATEWAY_CERTIFICATE])),
  }
}
