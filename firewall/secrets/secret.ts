import { inspect } from 'node:util'

/** Characters. */
const SHORTEST_HIDDEN = 6

/**
 * A real credential. It cannot be printed by accident: string conversion, JSON and inspection return its name. Only `reveal()`
 * returns the value, and only the code that sends it upstream may call it.
 */
export class Secret {
  /** The reference in the policy, for example `JIRA_TOKEN`. */
  readonly name: string
  #value: string
  #sensitive: readonly string[]
  /** The previous value: the response to a request in flight may still contain it. */
  #retired: readonly string[] = []
  #version = 0

  /**
   * @param name      shown in logs and errors instead of the value
   * @param value     the text to inject
   * @param sensitive the parts to redact from responses (default: the whole value)
   */
  constructor(name: string, value: string, sensitive: readonly string[] = [value]) {
    this.name = name
    this.#value = value
    this.#sensitive = sensitive
  }

  reveal(): string {
    return this.#value
  }

  /** The texts to redact: those of the current and of the previous value. */
  revealSensitive(): readonly string[] {
    return [...this.#sensitive, ...this.#retired]
  }

  /** A text with this in the place of each of them. What is very short would hide ordinary words. */
  hideIn(text: string, replacement: string): string {
    return this.revealSensitive()
      .filter((value) => value.length >= SHORTEST_HIDDEN)
      .sort((a, b) => b.length - a.length)
      .reduce((hidden, value) => hidden.replaceAll(value, replacement), text)
  }

  /** Incremented with every change of the value. */
  get version(): number {
    return this.#version
  }

  /** Sets a new value: later requests use it, and both values are redacted. */
  rotate(value: string, sensitive: readonly string[] = [value]): void {
    if (value === this.#value) return
    this.#retired = this.#sensitive.filter((text) => !sensitive.includes(text))
    this.#value = value
    this.#sensitive = sensitive
    this.#version += 1
  }

  toString(): string {
    return `[secret ${this.name}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }
}
