import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { parse as parseDomain } from 'tldts'
import { measureName } from '#firewall/names/name-features.js'
import type { NameSignal, NameLimits } from '#firewall/contracts/names.js'

/** How many names a profile denies, and by which signal. */
export interface NameRates {
  readonly names: number
  readonly refused: Readonly<Record<NameSignal, number>>
  /** Denied names, for review. */
  readonly examples: readonly string[]
}

/**
 * Host names with labels in front of the registrable domain, as web pages embed them, from the package third-party-web. A
 * wildcard `**.example.com` would match those labels.
 */
export function realNames(): readonly string[] {
  const file = createRequire(import.meta.url).resolve('third-party-web/dist/domain-map.csv')
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(',')[0] ?? '')
    .filter((name) => wildcardLabels(name).length > 0)
}

/** Whether the name belongs to a cloud or content network, where machines generate names. */
export function isMachineMade(name: string): boolean {
  return /\.(cloudfront\.net|amazonaws\.com|azureedge\.net|windows\.net|akamaihd\.net|akamaized\.net|fastly\.net|googleusercontent\.com|b-cdn\.net)$/.test(
    name,
  )
}

export function measureNames(names: readonly string[], { features }: NameLimits): NameRates {
  const refused = { bytes: 0, length: 0, 'label-length': 0, entropy: 0 }
  const examples: string[] = []
  for (const name of names) {
    const { signal } = measureName(wildcardLabels(name), features)
    if (signal === null) continue
    refused[signal] += 1
    examples.push(name)
  }
  return { names: names.length, refused, examples }
}

function wildcardLabels(name: string): readonly string[] {
  const { subdomain } = parseDomain(name)
  return subdomain === null || subdomain === '' ? [] : subdomain.split('.')
}
