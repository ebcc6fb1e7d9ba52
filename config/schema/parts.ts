import * as z from 'zod'

/** Text for the reference and for error messages: a noun phrase or a value with its effect, and an example. */
export function field<T extends z.ZodType>(schema: T, description: string, example: string): T {
  return schema.meta({ description, examples: [example] })
}

export const text = z.string()
export const flag = z.boolean()
export const count = z.int().min(0)

export const duration = (description: string, example: string) =>
  field(text, `${description}, with a unit: ms, s, m or h`, example)
