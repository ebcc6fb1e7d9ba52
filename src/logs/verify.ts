import { AUDIT_ROLES, type AuditRole } from '../audit/audit.js'
import { hashOf, logFiles } from '../audit/chain.js'
import type { CheckpointRef } from '../events/events.js'
import { ChainVerifier, compareLogs, type Finding, type VerifierOptions } from './chain-verifier.js'
import { blocksOf, linesIn } from './blocks.js'
import { logDirectories } from './read.js'

/** A finding, with where it is. */
export interface Located extends Finding {
  readonly place: string
}

/** What was seen of one log. */
export interface Verified {
  readonly directory: string
  readonly role: string
  readonly records: number
  /** The public key in base64; null where nothing is signed. */
  readonly key: string | null
  readonly isEnded: boolean
  readonly unsealed: number
  readonly kills: number
}

export interface VerifyOptions extends Omit<VerifierOptions, 'role' | 'keys'> {
  /** The keys that may sign the log of a role; null takes the first in it. */
  readonly keysOf: (role: AuditRole) => readonly string[] | null
  /** Checkpoints that were seen elsewhere, each of which must be in one of the logs. */
  readonly anchors?: readonly CheckpointRef[]
  /** Told of the bytes that were read of the files. */
  readonly progress?: (bytes: number) => void
}

/** Checks all logs below an audit directory, each from its first record to its last. */
export async function verifyLogs(
  auditDir: string,
  options: VerifyOptions,
  report: (finding: Located) => void,
): Promise<readonly Verified[]> {
  const all: Verified[] = []
  const missing = new Map((options.anchors ?? []).map((anchor) => [anchor.hash, anchor]))
  for (const directory of logDirectories(auditDir)) {
    const logs = new Map<string, ChainVerifier>()
    for (const role of AUDIT_ROLES) {
      const verifier = new ChainVerifier({ ...options, role, keys: options.keysOf(role) })
      logs.set(role, verifier)
      const files = logFiles(directory, role)
      for (const file of files) {
        let number = 0
        for await (const block of blocksOf(file, options.progress))
          for (const line of linesIn(block)) {
            number += 1
            if (line === null) continue
            for (const finding of verifier.push(line))
              report({ ...finding, place: `${file}:${String(number)}` })
          }
      }
      for (const finding of verifier.end()) report({ ...finding, place: files.at(-1) ?? directory })
      const { records, key, isEnded, unsealed, kills } = verifier
      if (records > 0) all.push({ directory, role, records, key, isEnded, unsealed, kills })
      for (const hash of verifier.checkpoints.values()) missing.delete(hash)
      for (const anchor of missing.values())
        if (anchor.role === role && verifier.beganAfter(anchor.sequence)) missing.delete(anchor.hash)
    }
    for (const finding of compareLogs(logs)) report({ ...finding, place: directory })
  }
  for (const { role, sequence } of missing.values()) {
    const message = `checkpoint ${String(sequence)} of the ${role} log, which the anchor has, is not there`
    report({ kind: 'cut', message, place: auditDir })
  }
  return all
}

/** The checkpoints in the file of an anchor. Lines that are none are left out. */
export function readAnchors(text: string): CheckpointRef[] {
  return text.split('\n').flatMap((line) => {
    try {
      const record = JSON.parse(line) as {
        event: { sequence: number }
        egress: { checkpoint: { role: string } }
      }
      return { role: record.egress.checkpoint.role, sequence: record.event.sequence, hash: hashOf(line) }
    } catch {
      return []
    }
  })
}
