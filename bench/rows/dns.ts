import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../workers/find-program.js'
import { startCoredns, startDnsmasq, startUnbound } from '../workers/name-servers.js'
import { startWorker, type Worker } from '../workers/processes.js'
import type { BenchRow, Contender } from './row.js'

const NAMES = Array.from({ length: 500 }, (_, index) => `host-${String(index)}.api.example.com`)

/** One query in ten is for an unlisted name. */
const QUESTIONS = NAMES.flatMap((name, index) => (index % 10 === 0 ? [name, `no-${name}`] : [name]))

export const dns: BenchRow = {
  id: 'dns',
  title: 'DNS, 64 outstanding queries of 8 clients, 500 names',
  unit: 'queries/s',
  async open({ roundMs }) {
    const dnsperf = findProgram('dnsperf')
    const directory = mkdtempSync(join(tmpdir(), 'egress-dns-'))
    const questions = join(directory, 'questions')
    writeFileSync(questions, QUESTIONS.map((name) => `${name} A\n`).join(''))
    const workers: readonly (readonly [string, Worker<number> | null])[] =
      dnsperf === null
        ? []
        : [
            ['egress serve', await startWorker<number>('dns-gateway', ['serve', ...NAMES])],
            ['dnsmasq', await startDnsmasq(NAMES)],
            ['unbound', await startUnbound(NAMES)],
            ['coredns', await startCoredns(NAMES)],
          ]
    const run = async (port: number) => {
      const where = ['-s', '127.0.0.1', '-p', String(port), '-d', questions]
      const load = ['-l', String(roundMs / 1000), '-q', '64', '-c', '8']
      const { stdout } = await promisify(execFile)(dnsperf ?? '', [...where, ...load], { maxBuffer: 1e9 })
      const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1])
      return {
        operations: number(/Queries completed:\s+(\d+)/),
        perSecond: number(/Queries per second:\s+([\d.]+)/),
        p50: number(/Average Latency \(s\):\s+([\d.]+)/) * 1000,
        p99: null,
        errors: number(/Queries lost:\s+(\d+)/),
      }
    }
    const contenders = workers.flatMap(([name, worker]): Contender[] =>
      worker === null ? [] : [{ name, pid: worker.pid, run: () => run(worker.ready) }],
    )
    const missing = workers
      .filter(([, worker]) => worker === null)
      .map(([name]) => `${name} is not installed`)
    return {
      contenders,
      missing: dnsperf === null ? ['dnsperf is not installed'] : missing,
      stop: async () => {
        for (const [, worker] of workers) await worker?.stop()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}
