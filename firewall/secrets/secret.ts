import { inspect } from 'node:util'

/**
 * A real credential. It has no form in which it can be printed by accident: string conversion, JSON and inspection
 * all give its name. Only `reveal()` gives the value, and only the code that writes it upstream may call it.
 */
export class Secret {
  /** The reference as the policy writes it, for example `JIRA_TOKEN`. */
  readonly name: string
  #value: string
  #sensitive: readonly string[]
  /** What it was before: a request that is under way may still bring it back. */
  #retired: readonly string[] = []
  #version = 0

  /**
   * @param name      what stands in logs and errors instead of the value
   * @param value     the text to inject
   * @param sensitive the parts of it that must never come back (default: all of it)
   */
  constructor(name: string, value: string, sensitive: readonly string[] = [value]) {
    this.name = name
    this.#value = value
    this.#sensitive = sensitive
  }

  reveal(): string {
    return this.#value
  }

  /** The texts that redaction looks for: the present ones and those of the last value before. */
  revealSensitive(): readonly string[] {
    return [...this.#sensitive, ...this.#retired]
  }

  /** Changes with every change of the value. */
  get version(): number {
    return this.#version
  }

  /** Rotates the secret: requests from now on get the new value, and redaction looks for both. */
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
