import { usage } from './errors.js'

/** Labels of one sandbox. They are in each of its records, so they are few and short. */
const MAX_LABELS = 8

/** `NAME=VALUE`. */
const LABEL = /^[A-Za-z][A-Za-z0-9_.-]{0,31}=[\x20-\x7e]{1,128}$/

/** Null unless all are labels as `parseLabels` takes them. */
export function readLabels(value: unknown): readonly string[] | null {
  const valid = Array.isArray(value) && value.every((label) => typeof label === 'string' && LABEL.test(label))
  return valid && value.length <= MAX_LABELS ? (value as string[]) : null
}

/** The values of `--label`. @throws EgressError */
export function parseLabels(labels: readonly string[]): readonly string[] {
  for (const label of labels)
    if (!LABEL.test(label))
      throw usage(
        `Invalid --label value \`${label.replace(/[^\x20-\x7e]/g, '?').slice(0, 40)}\``,
        'Use NAME=VALUE, such as task=123: letters, digits, `_`, `.` and `-` in the name, up to 128 printable characters in the value',
      )
  const names = labels.map((label) => label.split('=')[0] ?? '')
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw usage(`The label ${twice} is given twice`, 'Remove one of the two')
  if (labels.length > MAX_LABELS)
    throw usage(`${String(labels.length)} labels are too many`, `Use at most ${String(MAX_LABELS)}`)
  return labels
}
