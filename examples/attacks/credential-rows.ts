import { all, attackRan, noCredentialInside, twinArrived, twinWorked } from './judging.js'
import type { Judge, Row } from './row.js'

/** What a search says for itself when it finds nothing, and where it found something otherwise. */
const searchFoundNothing: Judge = all(attackRan, ({ inside }) => {
  const [search] = inside?.attack.attempts ?? []
  return { held: search?.reached === false, evidence: search?.said ?? 'no search' }
})

export const credentialRows: readonly Row[] = [
  {
    id: 'credential-environment',
    title: 'read credentials from the environment',
    threat: 'Any dependency can print the variables that it inherits.',
    judge: all(attackRan, noCredentialInside, ({ inside }) => {
      const [dump] = inside?.attack.attempts ?? []
      const readable = dump?.bytes !== undefined && dump.bytes !== ''
      return { held: readable, evidence: `${dump?.said ?? 'nothing'}, dummies only` }
    }),
    twin: twinArrived('jira'),
  },
  {
    id: 'credential-files',
    title: 'find credentials in files',
    threat: 'A token left in a file, mounted or temporary, is a token for every dependency.',
    judge: searchFoundNothing,
    twin: twinWorked,
  },
  {
    id: 'credential-processes',
    title: 'find credentials in processes',
    threat: 'Arguments, environment and memory of other processes are files to their neighbours.',
    judge: searchFoundNothing,
    twin: twinWorked,
  },
]
