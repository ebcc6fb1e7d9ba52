import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { measureCosts, type Cost, type Measured } from './command-cost.js'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const OURS = 'egress run'
const REFERENCE = 'srt'

/** `true` in every kind of sandbox that this machine has, with ours in proportion to srt's. */
export async function printStartTable(rounds: number, image: string | null): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'egress-start-'))
  try {
    // If root starts it, the sandbox has another user.
    chmodSync(directory, 0o755)
    writeFileSync(join(directory, 'egress.yaml'), 'allow: [{ host: api.test.example }]\n')
    const costs = await measureCosts(commandsOf(image), rounds, directory)
    console.log(`${''.padEnd(28)}${['wall', 'CPU', 'memory'].map((name) => name.padStart(12)).join('')}`)
    for (const [name, cost] of costs) console.log(row(name, cost))
    const [ours, srt] = [costs.get(OURS), costs.get(REFERENCE)]
    if (ours === undefined || srt === undefined)
      console.log('srt is not on PATH: npm install --global @anthropic-ai/sandbox-runtime')
    else
      console.log(
        `${'egress run / srt'.padEnd(28)}${[
          ours.wallMs / srt.wallMs,
          (ours.cpuMs ?? NaN) / (srt.cpuMs ?? NaN),
          (ours.bytes ?? NaN) / (srt.bytes ?? NaN),
        ]
          .map((ratio) => ratio.toFixed(2).padStart(12))
          .join('')}`,
      )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function commandsOf(image: string | null): Measured[] {
  const found = (name: string, words: readonly string[]): Measured[] => {
    const program = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', words[0] ?? ''], {
      encoding: 'utf8',
    }).stdout.trim()
    return program === '' ? [] : [{ name, words: [program, ...words.slice(1)] }]
  }
  const bwrap = 'bwrap --ro-bind / / --unshare-all --proc /proc --dev /dev true'
  return [
    { name: 'node', words: [process.execPath, '-e', '0'] },
    { name: 'egress --version', words: [process.execPath, MAIN, '--version'] },
    {
      name: 'egress explain',
      words: [process.execPath, MAIN, 'explain', 'GET', 'https://api.test.example/'],
    },
    { name: OURS, words: [process.execPath, MAIN, 'run', '--', 'true'] },
    ...found(REFERENCE, ['srt', '--', 'true']),
    ...found('bubblewrap', bwrap.split(' ')),
    // Its processes are the engine's: no processor time or memory of them is in the group.
    ...(image !== null && spawnSync('docker', ['image', 'inspect', image]).status === 0
      ? found('docker run (client only)', ['docker', 'run', '--rm', '--network', 'none', image, 'true'])
      : []),
  ]
}

function row(name: string, { wallMs, cpuMs, bytes }: Cost): string {
  const cells = [
    `${wallMs.toFixed(0)} ms`,
    cpuMs === null ? '?' : `${cpuMs.toFixed(0)} ms`,
    bytes === null ? '?' : `${(bytes / 1e6).toFixed(1)} MB`,
  ]
  return `${name.padEnd(28)}${cells.map((cell) => cell.padStart(12)).join('')}`
}
