import type { Part } from '../attacks/brief.js'
import type { Records } from '../servers/messages.js'

/** What arrived while one attack ran; rows run one after the other, and one clock serves all processes of a machine. */
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
