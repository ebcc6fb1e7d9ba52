/**
 * Formats times as ISO 8601 with milliseconds. The part before the milliseconds is cached for a second, because `toISOString`
 * takes as long as checking a name.
 */
export class Timestamps {
  #second = NaN
  #prefix = ''

  /** @param at milliseconds since 1970 */
  format(at: number): string {
    const second = Math.floor(at / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#prefix = new Date(second * 1000).toISOString().slice(0, -4)
    }
    return `${this.#prefix}${String(Math.floor(at) - second * 1000).padStart(3, '0')}Z`
  }
}
