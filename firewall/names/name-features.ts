import type { NameFeatureLimits, NameFeatures, NameSignal } from '../contracts/names.js'

/** Measures labels (lower case, first label first), with the first limit that they exceed. */
export function measureName(labels: readonly string[], limits: NameFeatureLimits): NameFeatures {
  const length = labels.reduce((sum, label) => sum + label.length, Math.max(labels.length - 1, 0))
  const text = labels.join('')
  const entropy = shannon(text)
  return { length, entropy, signal: firstSignal(labels, text, length, entropy, limits) }
}

function firstSignal(
  labels: readonly string[],
  text: string,
  length: number,
  entropy: number,
  limits: NameFeatureLimits,
): NameSignal | null {
  if (!/^[a-z0-9_-]*$/.test(text)) return 'bytes'
  if (length > limits.maxLength) return 'length'
  if (labels.some((label) => label.length > limits.maxLabel)) return 'label-length'
  if (text.length < limits.minEntropyLength) return null
  const dense = labels.some(
    (label) => label.length >= limits.minEntropyLength && shannon(label) > limits.maxEntropy,
  )
  return dense || entropy > limits.maxTotalEntropy ? 'entropy' : null
}

const HOST_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_-'

/** By character code: the index in HOST_CHARACTERS plus 1; 0 for any other character. */
const PLACE = Uint8Array.from(
  { length: 128 },
  (_, code) => HOST_CHARACTERS.indexOf(String.fromCharCode(code)) + 1,
)

/** By count n of a character: n log2(n), its term in the sum of `shannon`. */
const WEIGHT = Float64Array.from({ length: 256 }, (_, n) => (n === 0 ? 0 : n * Math.log2(n)))

/**
 * Shannon entropy in bits per character (Shannon 1948): log2(length) - sum(n log2(n)) / length; 0 for the empty text. Every
 * query is measured, so the characters of host names are counted in an array instead of a map.
 */
export function shannon(text: string): number {
  const { length } = text
  if (length === 0 || length >= WEIGHT.length) return shannonOfAny(text)
  const counts = new Uint8Array(HOST_CHARACTERS.length + 1)
  let weight = 0
  for (let index = 0; index < length; index += 1) {
    const place = PLACE[text.charCodeAt(index)] ?? 0
    if (place === 0) return shannonOfAny(text)
    const count = counts[place] ?? 0
    weight += (WEIGHT[count + 1] ?? 0) - (WEIGHT[count] ?? 0)
    counts[place] = count + 1
  }
  return Math.max(Math.log2(length) - weight / length, 0)
}

function shannonOfAny(text: string): number {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) {
    const share = count / text.length
    bits -= share * Math.log2(share)
  }
  return bits
}
