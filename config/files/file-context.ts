import type { IssueList } from '../issues/issue.js'

/** How the readers of a policy open the files that it names. */
export interface FileContext {
  readonly issues: IssueList
  /** Directory of the policy file, absolute: relative file names start there. */
  readonly directory: string
  /** False if no file other than the policy may be read. */
  readonly withSecrets: boolean
  /** Records the absolute name of a file that must be hidden from sandboxes. */
  readonly hide: (path: string) => void
}
