/** Milliseconds before a bar is shown: most logs are read sooner. */
const SHOW_AFTER_MS = 1_000
const REDRAW_MS = 100
const WIDTH = 30

export interface Progress {
  /** Bytes that were read. */
  readonly add: (bytes: number) => void
  /** Removes the bar. */
  clear(): void
}

/** A bar on a terminal, which a long reading is waited for at; nothing elsewhere. */
export function progressBar(
  terminal: { write(text: string): unknown } | null,
  total: number,
  now: () => number = Date.now,
): Progress {
  if (terminal === null || total === 0) return { add: () => undefined, clear: () => undefined }
  let read = 0
  let next = now() + SHOW_AFTER_MS
  let isShown = false
  return {
    add(bytes) {
      read += bytes
      if (now() < next) return
      next = now() + REDRAW_MS
      isShown = true
      const part = Math.min(read / total, 1)
      const full = Math.round(part * WIDTH)
      terminal.write(`\r${'█'.repeat(full)}${'░'.repeat(WIDTH - full)} ${String(Math.floor(part * 100))} %`)
    },
    clear() {
      if (isShown) terminal.write('\r\x1b[K')
      isShown = false
    },
  }
}
