import type { TestResult } from './run-tests.js'

/** The results in the form that CI systems read: one suite for the policy, one case for each test. */
export function junitText(file: string, results: readonly TestResult[]): string {
  const failed = results.filter(({ failure }) => failure !== null).length
  const counts = `tests="${String(results.length)}" failures="${String(failed)}" errors="0" skipped="0"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="${escapeXml(file)}" ${counts}>`,
    ...results.map((result) => caseOf(file, result)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

function caseOf(file: string, { name, expect, line, failure }: TestResult): string {
  const title = `${name}, expect ${expect}`
  const begin = `    <testcase classname="${escapeXml(file)}" name="${escapeXml(title)}" file="${escapeXml(file)}" line="${String(line)}"`
  if (failure === null) return `${begin}/>`
  const { problem, fix } = failure
  const text = `${file}:${String(line)}: ${problem}\n  ${fix}`
  return `${begin}>\n      <failure message="${escapeXml(problem)}">${escapeXml(text)}</failure>\n    </testcase>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** XML 1.0 section 2.2: most control characters must not be in a document, not even escaped, nor may half a pair. */
export function escapeXml(text: string): string {
  return text
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]/g, (char) => {
      return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
    })
    .replace(/\p{Surrogate}/gu, (char) => `\\u${char.charCodeAt(0).toString(16)}`)
    .replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}
