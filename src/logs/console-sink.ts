import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import { formatEvent, type Paint } from './format.js'

/** Shows what happens as it happens. What comes in one turn of the event loop is written together, after it. */
export class ConsoleSink implements EventSink {
  readonly #write: (text: string) => void
  readonly #paint: Paint
  #text = ''

  constructor(write: (text: string) => void, paint: Paint) {
    this.#write = write
    this.#paint = paint
  }

  take(time: string, event: GatewayEvent): void {
    if (this.#text === '') setImmediate(() => this.end())
    this.#text += `${formatEvent(time, event, this.#paint)}\n`
  }

  end(): void {
    const text = this.#text
    this.#text = ''
    if (text !== '') this.#write(text)
  }
}
