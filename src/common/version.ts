import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installDirectory } from './install.js'

/** Version of this program. */
export function version(): string {
  const manifest = readFileSync(join(installDirectory(), 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
