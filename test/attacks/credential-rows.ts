import { all, attackRan, noCredentialInside, controlArrived, controlPassed } from './evaluating.js'
import type { Check, Row } from './row.js'

/** Passes if a search found the planted text and nothing else. */
const searchFoundNothing: Check = all(attackRan, ({ inside }) => {
  const attempts = inside?.attack.attempts ?? []
  const found = attempts.find(({ reached }) => reached)
  if (found !== undefined) return { passed: false, evidence: `${found.what}: ${found.said}` }
  const searched = attempts.some(({ what, said }) => what === 'planted text' && said === 'found')
  return {
    passed: searched,
    evidence: searched ? (attempts[0]?.said ?? '') : 'the search did not find its own decoy',
  }
})

export const credentialRows: readonly Row[] = [
  {
    id: 'credential-environment',
    title: 'read credentials from the environment',
    threat: 'Any dependency can print the environment variables.',
    evaluate: all(attackRan, noCredentialInside, ({ inside }) => {
      const [dump] = inside?.attack.attempts ?? []
      const readable = dump?.bytes !== undefined && dump.bytes !== ''
      return { passed: readable, evidence: `${dump?.said ?? 'nothing'}, placeholders only` }
    }),
    control: controlArrived('jira'),
  },
  {
    id: 'credential-files',
    title: 'find credentials and keys in files',
    threat: 'Every dependency can read a token or CA key in a file, mounted or temporary.',
    evaluate: searchFoundNothing,
    control: controlPassed,
  },
  {
    id: 'credential-processes',
    title: 'find credentials in processes',
    threat: 'A process can read the arguments, environment and memory of other processes as files.',
    evaluate: searchFoundNothing,
    control: controlPassed,
  },
]
