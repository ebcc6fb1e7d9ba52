import type { Operations } from './preset.js'

const query = (...fields: readonly string[]) => fields.map((field) => `GRAPHQL query ${field}`)
const mutation = (...fields: readonly string[]) => fields.map((field) => `GRAPHQL mutation ${field}`)

/**
 * In a graph everything can be reached from everywhere, so what `GITHUB_READS` leaves out is denied wherever it stands: keys, gists,
 * who has which rights, alerts, and what only administrators see.
 */
const LEFT_OUT = [
  'auditLog',
  'collaborators',
  'deployKeys',
  'domains',
  'enterprise*',
  'environments',
  'externalIdentities',
  'gist',
  'gists',
  'ipAllowList*',
  'memberStatuses',
  'organizationIdentityProvider',
  'ownerInfo',
  'pendingMembers',
  'publicKeys',
  'recoveryCodes',
  'samlIdentityProvider',
  'savedReplies',
  'vulnerabilityAlert*',
].map((field) => `GRAPHQL * **.${field}`)

/** What `gh` and others read by GraphQL. */
export const GITHUB_QUERIES: Operations = {
  about: 'read the same by GraphQL',
  deny: LEFT_OUT,
  allow: query(
    'viewer',
    'repository',
    'repositoryOwner',
    'user',
    'organization',
    'search',
    'node',
    'nodes',
    'resource',
    'topic',
    'license',
    'licenses',
    'rateLimit',
    '__type',
    '__schema',
  ),
}

/**
 * Threat: a mutation names what it changes by an id, which does not say whose it is, so `owner` and `project` cannot limit it: an agent
 * could write what it knows into a repository of its own. Only those are here whose one id is that of the repository.
 */
export const GITHUB_MUTATIONS: Operations = {
  about: 'create issues and pull requests by GraphQL',
  allow: mutation(
    'createIssue(input.repositoryId={repository})',
    'createPullRequest(input.repositoryId={repository})',
  ),
}
