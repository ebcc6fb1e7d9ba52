import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import type { LoadContext } from './context.js'
import type { Path } from './issue.js'
import { quote } from './redact-message.js'
import { readTextFile } from './text-file.js'

/** The PEM that a `ca` names; null when there is none, or it cannot be used (the issues say why), or none is read. */
export function readCaBundle(file: string | undefined, path: Path, context: LoadContext): string | null {
  if (file === undefined || context.namesOnly) return null
  const absolute = resolve(context.directory, file)
  const content = readTextFile(absolute)
  if (content === null) {
    context.issues.add(path, {
      problem: `the file ${quote(file)} does not exist`,
      fix: 'name a PEM file, relative to the policy file',
    })
    return null
  }
  if ('problem' in content) {
    context.issues.add(path, { problem: `${quote(file)}: ${content.problem}`, fix: content.fix })
    return null
  }
  context.sensitive(absolute)
  const diagnostic = pemError(file, content.text)
  if (diagnostic === null) return content.text
  context.issues.add(path, diagnostic)
  return null
}

function pemError(file: string, text: string): Diagnostic | null {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    return {
      problem: `${quote(file)} holds a private key`,
      fix: 'name a file with the certificates of the authorities only',
    }
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  const fix = 'name a PEM file with `-----BEGIN CERTIFICATE-----` blocks'
  if (blocks.length === 0) return { problem: `${quote(file)} holds no PEM certificate`, fix }
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block)
    } catch {
      return { problem: `certificate ${index + 1} in ${quote(file)} cannot be read`, fix }
    }
  }
  return null
}
