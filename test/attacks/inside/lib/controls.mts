import type { Attempt, Brief } from '../../brief.js'
import { attempt } from './attempt.mjs'
import { getByTls } from './http.mjs'

/** The most similar allowed action for most attacks: the same agent sends a request to the listed service, which must respond. */
export async function askJira({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('GET /rest/api/2/myself at Jira', () =>
      getByTls(listeners.https, names.jira, `/rest/api/2/myself?control=${marker}`),
    ),
  ]
}
