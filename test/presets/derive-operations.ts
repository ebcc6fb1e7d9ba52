import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

// Derives the lists in `operations/` from what vendors publish: facts only, one `METHOD /path name` per line.
//
//   node dist/test/presets/derive-operations.js FORMAT FILE 'source, version, licence' > test/presets/operations/NAME.txt

interface Found {
  readonly method: string
  readonly path: string
  readonly name: string
}

type Json = Record<string, unknown>

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete']

const FORMATS: Readonly<Record<string, (file: string) => Found[]>> = {
  /** OpenAPI 2 or 3, as JSON. */
  openapi(file) {
    const { paths, basePath, servers } = JSON.parse(readFileSync(file, 'utf8')) as {
      paths: Record<string, Record<string, { operationId?: string }>>
      basePath?: string
      servers?: readonly { url: string }[]
    }
    const [, base = ''] = /^https:\/\/[^/{]+(\/.*)$/.exec(servers?.[0]?.url ?? '') ?? [null, basePath ?? '']
    return Object.entries(paths).flatMap(([path, item]) =>
      METHODS.flatMap((method) => {
        const operation = item[method]
        if (operation === undefined) return []
        return { method, path: base + path.replace(/\?.*/, ''), name: operation.operationId ?? '' }
      }),
    )
  },
  /** The directory of GitLab's own Go client, whose functions contain `withMethod(http.MethodPost)` and `withPath("…")`. */
  'gitlab-go'(directory) {
    const files = readdirSync(directory).filter((name) => name.endsWith('.go') && !name.endsWith('_test.go'))
    return files.flatMap((name) =>
      readFileSync(join(directory, name), 'utf8')
        .split(/\n(?=func )/)
        .flatMap(goCalls),
    )
  },
  /** The `service-2.json.gz` of botocore. */
  botocore(file) {
    const { operations } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
      operations: Record<string, { http: { method: string; requestUri: string } }>
    }
    return Object.entries(operations).map(([name, { http }]) => ({
      method: http.method,
      path: http.requestUri.replaceAll('+}', '}'),
      name,
    }))
  },
  /** The `permissions.json` of Microsoft Graph, GET only: the preset has no other method. */
  'graph-permissions'(file) {
    const { permissions } = JSON.parse(readFileSync(file, 'utf8')) as {
      permissions: Record<string, { pathSets: { methods: string[]; paths: Json }[] }>
    }
    return Object.values(permissions).flatMap(({ pathSets }) =>
      pathSets.flatMap(({ methods, paths }) =>
        methods.includes('GET')
          ? Object.keys(paths).map((path) => ({ method: 'get', path: `/v1.0${path}`, name: '' }))
          : [],
      ),
    )
  },
}

function goCalls(code: string): Found[] {
  const name = /^func \([^)]*\) (\w+)\(/.exec(code)?.[1] ?? ''
  const method = /withMethod\(http\.Method(\w+)\)/.exec(code)?.[1] ?? 'GET'
  return [...code.matchAll(/withPath\(\s*"([^"]+)"/g)].map(([, path = '']) => ({
    method,
    path: `/api/v4/${path.replace(/^\//, '').replace(/%[svd]/g, '{x}')}`,
    name,
  }))
}

const [format = '', file = '', source = ''] = process.argv.slice(2)
const found = FORMATS[format]?.(file) ?? []
const unique = new Map<string, Found>()
for (const one of found) {
  const key = `${one.method.toUpperCase()} ${one.path}`
  if (!unique.has(key)) unique.set(key, one)
}
const lines = [...unique].map(([key, { name }]) => `${key} ${name}`.trimEnd())
process.stdout.write(`# ${source}\n${lines.sort().join('\n')}\n`)
