import type { AdminRoute } from './route.js'

/** The route of a request with the named parts of its path; or, if only the method is wrong, those that are there. */
export type Found =
  | { readonly route: AdminRoute; readonly params: Readonly<Record<string, string>> }
  | { readonly allow: readonly string[] }

/** Finds the route of a request. Literal segments come before `:name`. */
export class Router {
  readonly #routes: readonly { readonly route: AdminRoute; readonly segments: readonly string[] }[]

  /** Throws an Error if two routes are the same, which is a bug. */
  constructor(routes: readonly AdminRoute[]) {
    const keys = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:[^/]+/g, ':')}`)
    const twice = keys.find((key, index) => keys.indexOf(key) !== index)
    if (twice !== undefined) throw new Error(`Two admin routes for ${twice}`)
    this.#routes = routes
      .map((route) => ({ route, segments: route.path.split('/') }))
      .sort((a, b) => names(a.segments) - names(b.segments))
  }

  /** @param path of a URL, still encoded. `allow` is empty if no route has this path. */
  find(method: string, path: string): Found {
    const segments = path.split('/')
    const allow: string[] = []
    for (const { route, segments: wanted } of this.#routes) {
      const params = match(wanted, segments)
      if (params === null) continue
      if (route.method === method) return { route, params }
      allow.push(route.method)
    }
    return { allow }
  }
}

const names = (segments: readonly string[]) => segments.filter((segment) => segment.startsWith(':')).length

function match(wanted: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (wanted.length !== segments.length) return null
  const params: Record<string, string> = {}
  for (const [index, want] of wanted.entries()) {
    const segment = segments[index] ?? ''
    if (!want.startsWith(':')) {
      if (want !== segment) return null
      continue
    }
    const value = decode(segment)
    if (value === null || value === '') return null
    params[want.slice(1)] = value
  }
  return params
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}
