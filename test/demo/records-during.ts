import type { Part } from '../attacks/brief.js'
import type { Records } from '../servers/messages.js'

/** Records from during one attack. Rows run one after the other, and all processes of a machine share one clock. */
export function recordsDuring(whole: Records, part: Part | undefined): Records {
  const { started, ended } = part ?? { started: 0, ended: -1 }
  const within = <Entry extends { readonly at: number }>(entries: readonly Entry[]): Entry[] =>
    entries.filter(({ at }) => at >= started && at <= ended)
  return {
    jira: within(whole.jira),
    llm: within(whole.llm),
    echo: within(whole.echo),
    attacker: within(whole.attacker),
  }
}
