import { resolve } from 'node:path'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { FileContext } from './file-context.js'
import { certificateBlocks, isCertificate, isWhole } from './pem.js'
import { readTextFile } from './text-file.js'

/** The PEM of a `ca`; null if there is no `ca`, if it is invalid (then an issue is added), or if files are not read. */
export function readCaBundle(file: string | undefined, path: Path, context: FileContext): string | null {
  if (file === undefined || !context.withSecrets) return null
  const absolute = resolve(context.directory, file)
  const content = readTextFile(absolute, 'latin1')
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
  // Without the comments, which may be in any encoding.
  if (diagnostic === null)
    return certificateBlocks(content.text)
      .map((block) => `${block}\n`)
      .join('')
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
  const blocks = certificateBlocks(text)
  if (blocks.length === 0 && /^0[\x80-\x84]/.test(text)) {
    const fix = `Convert it: openssl x509 -inform der -in ${quote(file)} -out ca.pem`
    return { problem: `${quote(file)} is a certificate in DER, not in PEM`, fix }
  }
  const fix = 'Name a PEM file with `-----BEGIN CERTIFICATE-----` blocks'
  if (!isWhole(text)) return { problem: `A certificate in ${quote(file)} begins and does not end`, fix }
  if (blocks.length === 0) return { problem: `${quote(file)} contains no PEM certificate`, fix }
  const invalid = blocks.findIndex((block) => !isCertificate(block))
  return invalid < 0
    ? null
    : { problem: `Invalid certificate in ${quote(file)} (number ${invalid + 1})`, fix }
}
