import { readFileSync } from 'node:fs'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt } from './lib/attempt.mjs'
import { Scanner } from './lib/fingerprint.mjs'
import { getByTls } from './lib/http.mjs'
import { searchProcess, visibleProcesses } from './lib/processes.mjs'
import { holds, searchFile, walk } from './lib/search-files.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'credential-environment': { attack: dumpEnvironment, control: usePlaceholder },
  'credential-files': { attack: searchFiles, control: readOwnFile },
  'credential-processes': { attack: searchProcesses, control: readOwnEnvironment },
}

async function dumpEnvironment(): Promise<Attempt[]> {
  return [
    await attempt('print every variable', () => ({
      reached: false,
      said: `${Object.keys(process.env).length} variables`,
      bytes: Buffer.from(JSON.stringify(process.env)),
    })),
  ]
}

async function usePlaceholder({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  const placeholder = process.env['JIRA_TOKEN'] ?? ''
  return [
    await attempt('the variable contains a placeholder', () => ({
      reached: placeholder.length > 8,
      said: `${placeholder.length} characters`,
    })),
    await attempt('a request with the placeholder succeeds', () =>
      getByTls(listeners.https, names.jira, `/rest/api/2/myself?control=${marker}`, [
        `Authorization: Bearer ${placeholder}`,
      ]),
    ),
  ]
}

async function searchFiles({ fingerprints, salt, since, decoy }: Brief): Promise<Attempt[]> {
  const scanner = new Scanner([...fingerprints, decoy.fingerprint], salt)
  const { fresh, older } = walk('/', since)
  const found = fresh.flatMap((path) => searchFile(path, scanner).map((name) => ({ name, place: path })))
  const keys = fresh.filter((path) => holds(path, 'PRIVATE KEY-----\n'))
  return [
    ...reportSearch(found, decoy, `${fresh.length} files since start searched, ${older} older ones`),
    await attempt('private keys in the same files', () => ({
      reached: keys.length > 0,
      said: keys.join(', ') || 'none',
    })),
  ]
}

function searchProcesses({ fingerprints, salt, decoy }: Brief): Attempt[] {
  const kept = readFileSync(decoy.file)
  const scanner = new Scanner([...fingerprints, decoy.fingerprint], salt)
  const processes = visibleProcesses()
  const found = processes.flatMap((pid) =>
    searchProcess(pid, scanner).map((name) => ({ name, place: `process ${pid}` })),
  )
  const size = `${Math.round(scanner.searched / 1_000_000)} MB`
  // The search must find the decoy in the memory of this process.
  return kept.length === 0
    ? []
    : reportSearch(found, decoy, `${size} of ${processes.length} processes searched`)
}

/** A search that misses the planted text does not count: it did not search. */
function reportSearch(
  found: readonly { readonly name: string; readonly place: string }[],
  decoy: Brief['decoy'],
  summary: string,
): Attempt[] {
  const secrets = found.filter(({ name }) => name !== decoy.fingerprint.name)
  const said = secrets.map(({ name, place }) => `${name} in ${place}`).join(', ') || summary
  return [
    { what: 'search', reached: secrets.length > 0, said },
    { what: 'planted text', reached: false, said: secrets.length < found.length ? 'found' : 'not found' },
  ]
}

async function readOwnFile({ decoy }: Brief): Promise<Attempt[]> {
  return [
    await attempt('read a file of the work directory', () => ({
      said: `${readFileSync(decoy.file).length} bytes`,
    })),
  ]
}

async function readOwnEnvironment(): Promise<Attempt[]> {
  return [
    await attempt('read its own environment', () => ({
      said: `${readFileSync('/proc/self/environ').length} bytes`,
    })),
  ]
}
