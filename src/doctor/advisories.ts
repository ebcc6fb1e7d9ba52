/** Engines with a hole that a sandbox could use: what it is, or null. */
export function engineAdvisory(version: string): string | null {
  const [major = 0, minor = 0, patch = 0] = version.split(/[^0-9]/).map(Number)
  const number = (major * 1000 + minor) * 1000 + patch
  if (number < 23_000_011 || (number >= 24_000_000 && number < 25_000_005)) return 'CVE-2024-29018'
  return number < 26_001_003 ? 'names in internal networks (moby 47589)' : null
}
