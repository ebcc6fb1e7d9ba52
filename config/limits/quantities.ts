const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
}

/** Milliseconds of a text such as `250ms`, `10s`, `5m` or `1h`; null for anything else. */
export function parseDuration(text: string): number | null {
  return parseQuantity(text, DURATION_UNITS)
}

/** Bytes of a text such as `512B`, `10MB` or `5GiB`; null for anything else. */
export function parseSize(text: string): number | null {
  return parseQuantity(text, SIZE_UNITS)
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?) ?([A-Za-z]{1,3})$/.exec(text)
  const unit = Object.hasOwn(units, match?.[2] ?? '') ? units[match?.[2] ?? ''] : undefined
  if (match === null || unit === undefined) return null
  const amount = Math.round(Number(match[1]) * unit)
  return Number.isSafeInteger(amount) ? amount : null
}
