import type { InjectionFailure, OutgoingBody } from '#firewall/contracts/credential.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Secret } from '#firewall/secrets/secret.js'
import { encodedForms } from '../redaction/encoded-forms.js'
import { MemoryExceeded } from '#firewall/ledger/memory-budget.js'
import { BodyTooLarge } from '../contracts/errors.js'

/** A field that the loader has validated. If it is missing, the bug is ours, not the policy's. */
export function field(values: Readonly<Record<string, Secret>>, name: string): Secret {
  const value = values[name]
  if (value === undefined) throw new Error(`credential field ${name} was not set`)
  return value
}

/** The byte sequences that redaction must find: each text in every encoding in which a service may return it. */
export function secretPatternsOf(...texts: readonly string[]): SecretPatterns {
  return new SecretPatterns(texts.flatMap(encodedForms))
}

/** Caches a value derived from secrets, and derives it again after one of them has changed. */
export function derived<T>(secrets: readonly Secret[], make: () => T): () => T {
  let made: { readonly of: readonly number[]; readonly value: T } | null = null
  return () => {
    const of = made?.of
    // Asked for every chunk of every response: without making anything.
    if (made === null || !secrets.every(({ version }, index) => version === of?.[index]))
      made = { of: secrets.map(({ version }) => version), value: make() }
    return made.value
  }
}

/** The credential cannot be injected into this type of request. The text is for the agent and contains no secret. */
export function unsupported(detail: string): InjectionFailure {
  return { reason: 'credential-unsupported', detail }
}

/** The whole body, if it is not longer than `limit` bytes. */
export async function readBody(body: OutgoingBody, limit: number): Promise<Buffer | InjectionFailure> {
  const tooLarge = { reason: 'too-large', detail: `The body is longer than ${String(limit)} bytes` } as const
  try {
    return (await body.read(limit)) ?? tooLarge
  } catch (error) {
    if (error instanceof MemoryExceeded)
      return {
        reason: 'busy',
        detail: 'The body must be buffered before it can be signed or changed, and the buffer is full',
      }
    // Any other error means that the sandbox disconnected.
    return error instanceof BodyTooLarge ? tooLarge : unsupported('The body was cut off')
  }
}
