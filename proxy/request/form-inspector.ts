import { Transform, type TransformCallback } from 'node:stream'
import type { Headers } from '#firewall/contracts/credential.js'
import { deny, type Denial } from '../contracts/denial.js'
import { MultipartReader, UrlencodedReader, type FormFinding, type FormReader } from './form-fields.js'

/** A form names a method that the policy does not allow, or cannot be read. */
export class ForbiddenForm extends Error {
  readonly code = 'EGRESS_FORM_FORBIDDEN'
  readonly denial: Denial

  constructor(denial: Denial) {
    super('a form that the policy does not allow')
    this.denial = denial
  }
}

/**
 * How a body with these headers is read as a form; null if it is not a form. What is compressed cannot be read, nor what one server
 * takes for one kind of form and another for the other. A POST of no type is a form to Rack, and so to Rails.
 */
export function formKindOf(
  method: string,
  headers: Headers,
): 'urlencoded' | 'multipart' | 'unreadable' | null {
  const type = String(headers['content-type'] ?? '').toLowerCase()
  const isMultipart = type.includes('multipart/')
  const isUrlencoded = type.includes('x-www-form-urlencoded') || (method === 'POST' && /^[\s,;]*$/.test(type))
  if (isMultipart && isUrlencoded) return 'unreadable'
  const kind = isMultipart ? 'multipart' : isUrlencoded ? 'urlencoded' : null
  if (kind === null) return null
  const coding = String(headers['content-encoding'] ?? 'identity').toLowerCase()
  return coding !== 'identity' || /charset\s*=\s*["']?(?:utf-?(?:16|32|7)|ucs|ibm|cp037)/.test(type)
    ? 'unreadable'
    : kind
}

/**
 * Passes a form on while it looks for fields that name a method, as `_method=DELETE` does for Rails, Laravel, Spring and others.
 * What could be such a field is held back until it is known to be allowed, so a form that is not allowed never arrives whole.
 */
export class FormInspector extends Transform {
  readonly #reader: FormReader
  readonly #evaluate: (method: string) => Denial | null
  /** A form may name one method any number of times. */
  readonly #allowed = new Set<string>()

  /** @param evaluate asked for each method that a field names; a denial ends the form */
  constructor(kind: 'urlencoded' | 'multipart', evaluate: (method: string) => Denial | null) {
    super()
    this.#reader = kind === 'urlencoded' ? new UrlencodedReader() : new MultipartReader()
    this.#evaluate = evaluate
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#pass(this.#reader.push(chunk.toString('latin1')), done)
  }

  override _flush(done: TransformCallback): void {
    this.#pass(this.#reader.end(), done)
  }

  #pass({ text, methods, unreadable }: FormFinding, done: TransformCallback): void {
    const denial = unreadable ? deny('form-unreadable') : this.#firstDenied(methods)
    if (denial !== null) done(new ForbiddenForm(denial))
    else done(null, text === '' ? null : Buffer.from(text, 'latin1'))
  }

  #firstDenied(methods: readonly string[]): Denial | null {
    for (const method of methods) {
      if (this.#allowed.has(method)) continue
      const denial = this.#evaluate(method)
      if (denial !== null) return denial
      this.#allowed.add(method)
    }
    return null
  }
}
