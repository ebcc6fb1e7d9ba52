import type { InjectionFailure, OutgoingBody } from '#firewall/contracts/credential.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Secret } from '#firewall/secrets/secret.js'
import { encodedForms } from '../redaction/encoded-forms.js'
import { BufferLimitExceeded } from '#firewall/ledger/body-buffer-limit.js'
import { BodyTooLarge } from '../contracts/errors.js'

/** A field that the loader has checked to be there; its absence is a bug of ours, not of the policy. */
export function field(values: Readonly<Record<string, Secret>>, name: string): Secret {
  const value = values[name]
  if (value === undefined) throw new Error(`credential field ${name} was not bound`)
  return value
}

/** The byte sequences that redaction must find: each text in every form in which a service may say it back. */
export function secretPatternsOf(...texts: readonly string[]): SecretPatterns {
  return new SecretPatterns(texts.flatMap(encodedForms))
}

/** What is made from secrets: made once, and anew when one of them has changed. */
export function derived<T>(secrets: readonly Secret[], make: () => T): () => T {
  let made: { readonly of: string; readonly value: T } | null = null
  return () => {
    const of = secrets.map(({ version }) => version).join()
    if (made?.of !== of) made = { of, value: make() }
    return made.value
  }
}

/** The request has a form in which this credential cannot be put in. The text is for the agent, and holds no secret. */
export function unsupported(detail: string): InjectionFailure {
  return { reason: 'credential-unsupported', detail }
}

/** The whole body, when it is not longer than `limit` bytes. */
export async function readBody(body: OutgoingBody, limit: number): Promise<Buffer | InjectionFailure> {
  const tooLarge = { reason: 'too-large', detail: `the body is longer than ${String(limit)} bytes` } as const
  try {
    return (await body.read(limit)) ?? tooLarge
  } catch (error) {
    if (error instanceof BufferLimitExceeded)
      return {
        reason: 'busy',
        detail: 'a body that is signed or changed waits here until all of it has come',
      }
    // What else fails is the sandbox, which went away.
    return error instanceof BodyTooLarge ? tooLarge : unsupported('the body was cut off')
  }
}
