/** Text of the policy, marked in a message. `redactMessage` shortens it after it has looked for secrets in it. */
export function quote(text: string): string {
  return `\`${text}\``
}
