import { readFileSync } from 'node:fs'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt } from './lib/attempt.mjs'
import { Scanner } from './lib/fingerprint.mjs'
import { getByTls } from './lib/http.mjs'
import { searchProcess, visibleProcesses } from './lib/processes.mjs'
import { searchFile, walk } from './lib/search-files.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'credential-environment': { attack: dumpEnvironment, twin: useDummy },
  'credential-files': { attack: searchFiles, twin: findDecoyInFiles },
  'credential-processes': { attack: searchProcesses, twin: findDecoyInMemory },
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

async function useDummy({ doors, names }: Brief, marker: string): Promise<Attempt[]> {
  const dummy = process.env['JIRA_TOKEN'] ?? ''
  return [
    await attempt('a dummy stands in the variable', () => ({
      reached: dummy.length > 8,
      said: `${dummy.length} characters`,
    })),
    await attempt('a request with the dummy succeeds', () =>
      getByTls(doors.https, names.jira, `/rest/api/2/myself?twin=${marker}`, [
        `Authorization: Bearer ${dummy}`,
      ]),
    ),
  ]
}

async function searchFiles({ fingerprints, salt, since }: Brief): Promise<Attempt[]> {
  return [
    await attempt('search every readable file', () => {
      const scanner = new Scanner(fingerprints, salt)
      const { fresh, older } = walk('/', since)
      const found = fresh.flatMap((path) => searchFile(path, scanner).map((name) => `${name} in ${path}`))
      const said =
        found.length > 0
          ? found.join(', ')
          : `${fresh.length} files since start searched, ${older} older ones`
      return { reached: found.length > 0, said }
    }),
  ]
}

async function findDecoyInFiles({ decoy, salt, since }: Brief): Promise<Attempt[]> {
  return [
    await attempt('the same search finds a planted text', () => {
      const scanner = new Scanner([decoy.fingerprint], salt)
      const found = walk('/', since).fresh.filter((path) => searchFile(path, scanner).length > 0)
      return { reached: found.length > 0, said: found.join(', ') }
    }),
  ]
}

async function searchProcesses({ fingerprints, salt }: Brief): Promise<Attempt[]> {
  return [
    await attempt('search what every visible process shows', () => {
      const scanner = new Scanner(fingerprints, salt)
      const processes = visibleProcesses()
      const found = processes.flatMap((pid) =>
        searchProcess(pid, scanner).map((name) => `${name} in process ${pid}`),
      )
      const size = `${Math.round(scanner.searched / 1_000_000)} MB`
      return {
        reached: found.length > 0,
        said: found.join(', ') || `${size} of ${processes.length} processes searched`,
      }
    }),
  ]
}

async function findDecoyInMemory({ decoy, salt }: Brief): Promise<Attempt[]> {
  return [
    await attempt('the same search finds a text in its own memory', () => {
      const kept = readFileSync(decoy.file)
      const found = searchProcess(process.pid, new Scanner([decoy.fingerprint], salt))
      return { reached: found.length > 0 && kept.length > 0, said: found.join(', ') }
    }),
  ]
}
