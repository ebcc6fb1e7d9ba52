import { PRESETS } from '#config/presets/index.js'
import type { Operations, Preset } from '#config/presets/preset.js'

export const BEGIN = '<!-- Generated from config/presets by `npm run docs:presets`: begin -->'
export const END = '<!-- end -->'

/** The page with the tables between its two markers replaced by those of the presets as they are. */
export function withTables(page: string): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END, begin)
  if (begin < 0 || end < 0) throw new Error('docs/presets.md has lost its markers')
  return `${page.slice(0, begin + BEGIN.length)}\n\n${PRESETS.map(section).join('\n\n')}\n\n${page.slice(end)}`
}

function section({ name, description, parameters = {}, operations }: Preset): string {
  const keys = Object.entries(parameters).map(
    ([key, { describe, example, optional }]) =>
      `- \`${key}\`${optional === true ? ' (optional)' : ''}: ${describe}, such as \`${example}\``,
  )
  return [
    `### ${name}`,
    `${description}.`,
    ...(keys.length === 0 ? [] : [keys.join('\n')]),
    ['| to | requests |', '|---|---|', ...operations.map(row)].join('\n'),
  ].join('\n\n')
}

function row({ about, deny = [], allow = [] }: Operations): string {
  const requests = [...group(deny).map((text) => `denied: ${text}`), ...group(allow)]
  return `| ${about} | ${requests.join('; ')} |`
}

/** Paths with the same methods together: `GET,HEAD` `/a` `/b`. */
function group(requests: readonly string[]): readonly string[] {
  const paths = new Map<string, string[]>()
  for (const request of requests) {
    const [, methods = '', path = ''] = /^(GRAPHQL \S+|\S+) (.*)$/.exec(request) ?? []
    paths.set(methods, [...(paths.get(methods) ?? []), `\`${path}\``])
  }
  return [...paths].map(
    ([methods, list]) => `**${methods === '*' ? 'any method' : methods}** ${list.join(' ')}`,
  )
}
