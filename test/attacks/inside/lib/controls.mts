import type { Brief, InsideRow } from '../../brief.js'
import { attempt } from './attempt.mjs'
import { askByTls, HTTP1, type HttpVersion } from './http-versions.mjs'

/** The most similar allowed action for most attacks: the same agent sends a request to the listed service, which must respond. */
export const askJira: InsideRow['control'] = askJiraOver(HTTP1)

export function askJiraOver(version: HttpVersion): InsideRow['control'] {
  return async ({ listeners, names }: Brief, marker) => [
    await attempt('GET /rest/api/2/myself at Jira', () =>
      askByTls(version, listeners.https, {
        host: names.jira,
        path: `/rest/api/2/myself?control=${marker}`,
      }),
    ),
  ]
}
