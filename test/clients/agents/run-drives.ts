import { spawnSync } from 'node:child_process'
import { driveAgent, type Driven, type Stage } from './drive-agent.js'
import { DRIVES, type AgentDrive } from './drives.js'
import { onDocker } from './docker.js'
import { lacks, onNamespaces } from './namespaces.js'

/** A row of the table: one agent, one backend, one use; or why it was not driven. */
export interface DriveRow extends Driven {
  /** null: it was driven */
  readonly missing: string | null
}

/** Drives every agent on every backend that is here. */
export async function runDrives(onRow: (row: DriveRow) => void): Promise<readonly DriveRow[]> {
  const rows: DriveRow[] = []
  const add = (row: DriveRow) => {
    rows.push(row)
    onRow(row)
  }
  const hasEngine = spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0
  for (const [backend, open] of [
    ['namespaces', onNamespaces],
    ['docker', onDocker],
  ] as const) {
    const noBackend = backend === 'docker' && !hasEngine ? 'no Docker engine' : lacks('tmux')
    // On Docker the agents come from images.
    const missing = ({ name, notOnDocker }: AgentDrive) =>
      noBackend ?? (backend === 'docker' ? notOnDocker : lacks(name))
    const here = DRIVES.filter((drive) => missing(drive) === null)
    for (const drive of DRIVES)
      if (missing(drive) !== null)
        add({ agent: drive.name, backend, use: 'in a terminal', problems: [], missing: missing(drive) })
    const stage: (Stage & { close(): Promise<void> }) | null = here.length === 0 ? null : await open()
    try {
      for (const drive of here)
        if (stage !== null)
          for (const driven of await driveAgent(drive, stage)) add({ ...driven, missing: null })
    } finally {
      await stage?.close()
    }
  }
  return rows
}
