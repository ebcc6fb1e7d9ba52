import type { Attempt } from '../../brief.js'

/** Result of an attempt. Without `reached`, an attempt that does not fail counts as successful. */
export interface ForwardResult {
  readonly reached?: boolean
  readonly said: string
  readonly bytes?: Buffer
}

/** Runs one attempt and records its result, which may be an error. */
export async function attempt(
  what: string,
  act: () => Promise<ForwardResult> | ForwardResult,
): Promise<Attempt> {
  try {
    const { reached = true, said, bytes } = await act()
    return { what, reached, said, ...(bytes === undefined ? {} : { bytes: bytes.toString('base64') }) }
  } catch (error) {
    return { what, reached: false, said: nameOf(error) }
  }
}

/** Runs attempts one after the other, so that they arrive outside in order. */
export async function inTurn(tries: readonly (() => Promise<Attempt>)[]): Promise<Attempt[]> {
  const attempts: Attempt[] = []
  for (const run of tries) attempts.push(await run())
  return attempts
}

/** The short name of an error: its code if it has one. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  return code ?? error.message
}
