import { isDiagnostic, type Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { ParameterValues, Preset, PresetParameter, PresetRule } from './preset.js'

type Json = Readonly<Record<string, unknown>>

/** An error in a parameter, and the key that has it; null for one that is missing. */
export interface ParameterError extends Diagnostic {
  readonly key: string | null
}

/** Reads the parameters of a preset among the keys of a service. With `rules` of its own a service needs none. */
export function readParameters(
  { name, parameters = {} }: Preset,
  given: Json,
): { readonly values: ParameterValues; readonly errors: readonly ParameterError[] } {
  const values: Record<string, readonly string[]> = {}
  const errors: ParameterError[] = []
  for (const [key, parameter] of Object.entries(parameters)) {
    const value = given[key]
    const add = (problem: string): void => {
      const fix = `Write \`${key}: ${parameter.example}\` next to \`use\`: ${parameter.describe}`
      errors.push({ key: value === undefined ? null : key, problem, fix })
    }
    if (given['rules'] !== undefined) {
      if (value === undefined) continue
      const fix = `Remove \`${key}\`, or write \`extra_rules\` instead of \`rules\``
      errors.push({
        key,
        problem: `\`${key}\` has no effect: \`rules\` replaces the rules of \`${name}\``,
        fix,
      })
    } else if (value === undefined) {
      values[key] = []
      if (parameter.optional !== true) add(`Preset \`${name}\` needs \`${key}\``)
    } else {
      const texts = readTexts(key, value, parameter)
      if (isDiagnostic(texts)) errors.push({ ...texts, key })
      else values[key] = texts
    }
  }
  return { values, errors }
}

/** The rules of a preset with the values of its parameters, without duplicates. */
export function presetRules(
  { operations, variables }: Preset,
  values: ParameterValues,
): readonly PresetRule[] {
  const known = variables?.(values) ?? {}
  const expand = (texts: readonly string[] = []): readonly string[] => [
    ...new Set(texts.flatMap((text) => expandVariable(text, known))),
  ]
  return operations.flatMap(({ deny, allow }) => [
    ...expand(deny).map((text) => ({ deny: text })),
    ...expand(allow).map((text) => ({ allow: text })),
  ])
}

function expandVariable(text: string, known: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const variable = /\{(\w+)\}/.exec(text)
  if (variable === null) return [text]
  // Not `replace` with a text: `$&` in a value would be interpreted.
  return (known[variable[1] ?? ''] ?? []).map((value) => text.replace(variable[0], () => value))
}

function readTexts(
  key: string,
  value: unknown,
  { pattern, describe, example }: PresetParameter,
): readonly string[] | Diagnostic {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const texts = list.map((one) => (typeof one === 'number' ? String(one) : one))
  const fix = `Expected: ${describe}, or a list of them. Example: \`${key}: ${example}\``
  if (texts.length === 0) return { problem: `\`${key}\` is empty`, fix }
  if (!texts.every((one) => typeof one === 'string')) return { problem: `Wrong type for \`${key}\``, fix }
  const bad = texts.find((one) => !pattern.test(one) || /(^|\/)\.{1,2}(\/|$)/.test(one))
  return bad === undefined ? [...new Set(texts)] : { problem: `Invalid \`${key}\``, fix }
}
