import { GRAPH_READS } from './graph-reads.js'
import type { Preset } from './preset.js'

export const graph: Preset = {
  name: 'graph',
  description: 'Microsoft Graph, with application permissions: read',
  example: {
    credential: {
      oauth2: { token_url: 'https://login.microsoftonline.com/tenant-id/oauth2/v2.0/token' },
    },
  },
  service: {
    url: 'https://graph.microsoft.com',
    credential: {
      oauth2: {
        client_id: '${GRAPH_CLIENT_ID}',
        client_secret: '${GRAPH_CLIENT_SECRET}',
        scope: 'https://graph.microsoft.com/.default',
      },
    },
    env: { GRAPH_ACCESS_TOKEN: '{placeholder:GRAPH_CLIENT_SECRET}' },
  },
  // Not POST: a `$batch` contains other requests, which rules do not see.
  operations: GRAPH_READS,
}
