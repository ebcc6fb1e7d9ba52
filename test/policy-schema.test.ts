import t from 'tap'
import { z } from 'zod'
import { IssueList, type Path } from '#config/issues/issue.js'
import { policySchema } from '#config/schema/policy.js'
import { validateSchema } from '#config/schema/validate-schema.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'

/** One mapping of the schema. `wrap` puts a value in its place into the smallest valid policy that has it. */
interface Mapping {
  readonly path: Path
  readonly schema: z.ZodObject
  readonly wrap: (value: unknown) => unknown
}

/** Every mapping with fixed keys, nested ones included. Throws for a type of schema that it cannot look into. */
function mappings(schema: z.ZodType, path: Path, wrap: Mapping['wrap']): Mapping[] {
  if (schema instanceof z.ZodOptional) return mappings(schema.unwrap() as z.ZodType, path, wrap)
  if (schema instanceof z.ZodObject) {
    const inner = Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([key, child]) =>
      mappings(child, [...path, key], (value) => wrap({ ...required(schema), [key]: value })),
    )
    return [{ path, schema, wrap }, ...inner]
  }
  if (schema instanceof z.ZodRecord)
    return mappings(schema.valueType as z.ZodType, [...path, 'some'], (value) => wrap({ some: value }))
  if (schema instanceof z.ZodArray)
    return mappings(schema.element as z.ZodType, [...path, 0], (value) => wrap([value]))
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap((option) => mappings(option as z.ZodType, path, wrap))
  if (LEAVES.some((leaf) => schema instanceof leaf)) return []
  throw new Error(`${path.join('.')}: unknown type of schema`)
}

const LEAVES = [z.ZodString, z.ZodNumber, z.ZodBoolean, z.ZodEnum, z.ZodLiteral]

/** The required keys of a mapping, each with a valid value. */
function required(schema: z.ZodObject): Record<string, unknown> {
  const entries = Object.entries<z.ZodType>(schema.shape)
  return Object.fromEntries(
    entries
      .filter(([, child]) => !(child instanceof z.ZodOptional))
      .map(([key, child]) => [key, valid(child)]),
  )
}

function valid(schema: z.ZodType): unknown {
  if (schema instanceof z.ZodObject) return required(schema)
  if (schema instanceof z.ZodArray) return [valid(schema.element as z.ZodType)]
  if (schema instanceof z.ZodUnion) return valid(schema.options[0] as z.ZodType)
  if (schema instanceof z.ZodEnum) return schema.options[0]
  return [1, true, 'some'].find((value) => schema.safeParse(value).success) ?? {}
}

const schema = policySchema(CREDENTIAL_KINDS)
const found = mappings(schema, [], (value) => value)

/** The problems that the loader would report. */
function problems(file: unknown): readonly string[] {
  const issues = new IssueList('egress.yaml', () => ({ line: 1, column: 1 }))
  validateSchema(schema, file, issues)
  return issues.sorted().map(({ problem }) => problem)
}

void t.test('every mapping of the policy rejects a key that it does not know', (t) => {
  const names = found.map(({ path }) => path.join('.'))
  for (const known of ['services.some.credential.also_in', 'agents.some.rules.some.0', 'dns.rate'])
    t.ok(names.includes(known), `the walk reaches ${known}`)
  t.equal(found.length, new Set(names).size)
  const strange: string[] = []
  for (const { path, schema: mapping, wrap } of found) {
    const control = problems(wrap(required(mapping)))
    const tried = problems(wrap({ ...required(mapping), unknown_key: 1 }))
    const told = tried.filter((problem) => problem.startsWith('Unknown key'))
    if (control.length > 0 || told.length !== 1)
      strange.push(`${path.join('.')}: ${[...control, ...tried].join()}`)
  }
  t.same(strange, [])
  t.end()
})

void t.test('the walk notices a mapping that lets unknown keys pass', (t) => {
  const open = z.strictObject({ a: z.array(z.strictObject({ b: z.object({ c: z.string() }) })).optional() })
  const [, , last] = mappings(open, [], (value) => value)
  t.same(last?.path, ['a', 0, 'b'])
  t.equal(open.safeParse(last?.wrap({ c: 'x', unknown_key: 1 })).success, true)
  t.throws(() => mappings(z.any(), ['x'], (value) => value), /unknown type/)
  t.end()
})
