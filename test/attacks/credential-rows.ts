import { all, attackRan, noCredentialInside, controlArrived, controlPassed } from './evaluating.js'
import type { Judge, Row } from './row.js'

/** What a search says for itself when it found nothing but the text that was planted for it. */
const searchFoundNothing: Judge = all(attackRan, ({ inside }) => {
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
    threat: 'Any dependency can print the variables that it inherits.',
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
    threat: 'A token or CA key left in a file, mounted or temporary, is one for every dependency.',
    evaluate: searchFoundNothing,
    control: controlPassed,
  },
  {
    id: 'credential-processes',
    title: 'find credentials in processes',
    threat: 'Arguments, environment and memory of other processes are files to their neighbours.',
    evaluate: searchFoundNothing,
    control: controlPassed,
  },
]
