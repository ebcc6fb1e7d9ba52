/** Pseudo-random numbers from 0 to limit - 1: Marsaglia's xorshift (2003), so that a seed repeats a run. */
export function randomBelow(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>>= 0) % limit
  }
}
