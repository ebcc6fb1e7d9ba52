/** By what limits and quotas count: each sandbox at each service. The id of a sandbox has no slash. */
export function limitKey(sandbox: string, service: string | null): string {
  return `${sandbox}/${service ?? ''}`
}

export function sandboxOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}
