import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { FileContext } from './file-context.js'
import { readTextFile } from './text-file.js'

/** The PEM of a `ca`; null if there is no `ca`, if it is invalid (then an issue is added), or if files are not read. */
export function readCaBundle(file: string | undefined, path: Path, context: FileContext): string | null {
  if (file === undefined || !context.withSecrets) return null
  const absolute = resolve(context.directory, file)
  const content = readTextFile(absolute)
  if (content === null) {
    context.issues.add(path, {
      problem: `File ${quote(file)} not found`,
      fix: 'Name a PEM file, relative to the policy file',
    })
    return null
  }
  if ('problem' in content) {
    context.issues.add(path, { problem: `${quote(file)}: ${content.problem}`, fix: content.fix })
    return null
  }
  context.hide(absolute)
  const diagnostic = pemError(file, content.text)
  if (diagnostic === null) return content.text
  context.issues.add(path, diagnostic)
  return null
}

function pemError(file: string, text: string): Diagnostic | null {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    return {
      problem: `${quote(file)} contains a private key`,
      fix: 'Name a file that contains only CA certificates',
    }
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  const fix = 'Name a PEM file with `-----BEGIN CERTIFICATE-----` blocks'
  if (blocks.length === 0) return { problem: `${quote(file)} contains no PEM certificate`, fix }
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block)
    } catch {
      return { problem: `Invalid certificate in ${quote(file)} (number ${index + 1})`, fix }
    }
  }
  return null
}
