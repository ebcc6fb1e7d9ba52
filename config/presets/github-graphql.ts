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
 * The counterparts of what the groups of REST allow. Mutations name what they change by an id, which says nothing about its owner:
 * which repositories they reach is for the token to say.
 */
export const GITHUB_MUTATIONS: Operations = {
  about:
    'write issues, pull requests and their comments by GraphQL, in every repository that the token can write to',
  allow: mutation(
    'createIssue',
    'updateIssue',
    'closeIssue',
    'reopenIssue',
    'addSubIssue',
    'removeSubIssue',
    'addComment',
    'updateIssueComment',
    'addReaction',
    'removeReaction',
    'addLabelsToLabelable',
    'removeLabelsFromLabelable',
    'addAssigneesToAssignable',
    'removeAssigneesFromAssignable',
    'replaceActorsForAssignable',
    'createPullRequest',
    'updatePullRequest',
    'closePullRequest',
    'reopenPullRequest',
    'markPullRequestReadyForReview',
    'convertPullRequestToDraft',
    'updatePullRequestBranch',
    'requestReviews',
    'addPullRequestReview',
    'updatePullRequestReview',
    'submitPullRequestReview',
    'addPullRequestReviewThread',
    'addPullRequestReviewThreadReply',
    'addPullRequestReviewComment',
    'updatePullRequestReviewComment',
    'resolveReviewThread',
    'unresolveReviewThread',
    'mergePullRequest',
    'enablePullRequestAutoMerge',
    'disablePullRequestAutoMerge',
  ),
}
