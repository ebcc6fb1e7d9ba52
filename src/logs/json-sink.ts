import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'

/** Prints the records as they are in the log, for collectors that read the output of containers. */
export class JsonSink implements EventSink {
  readonly #write: (text: string) => void
  #text = ''

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  take(_time: string, _event: GatewayEvent, line: string): void {
    if (this.#text === '') setImmediate(() => this.end())
    this.#text += `${line}\n`
  }

  end(): void {
    const text = this.#text
    this.#text = ''
    if (text !== '') this.#write(text)
  }
}
