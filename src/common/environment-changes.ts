import { NEVER_EMPTY } from '../trust/clients.js'

/** Variables of `--env`, by name; null removes the variable. */
export type EnvironmentChanges = Readonly<Record<string, string | null>>

/**
 * An environment with the changes that the caller wants. Every backend makes the last version of its environment here, so that none
 * passes on an empty value that would switch off the verification of certificates.
 */
export function changeEnvironment(
  environment: Readonly<Record<string, string>>,
  changes: EnvironmentChanges,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ ...environment, ...changes }).filter(
      (entry): entry is [string, string] =>
        entry[1] !== null && (entry[1].trim() !== '' || !NEVER_EMPTY.has(entry[0])),
    ),
  )
}
