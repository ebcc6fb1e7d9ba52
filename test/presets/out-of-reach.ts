/** Operations of a vendor that a preset must not allow, and why. Compared with `METHOD /path/{template}`. */
export interface OutOfReach {
  readonly reason: string
  readonly operations: readonly RegExp[]
}

const DELETING: OutOfReach = { reason: 'deletes', operations: [/^DELETE /] }

/** Any method but GET and HEAD, on paths that contain one of these segments. */
const writing = (...segments: readonly string[]): RegExp =>
  new RegExp(`^(?!GET |HEAD ).*/(${segments.join('|')})(/|\\?|$)`)

/** Any method, reading included. */
const touching = (...segments: readonly string[]): RegExp => new RegExp(`/(${segments.join('|')})(/|\\?|$)`)

export const OUT_OF_REACH: Readonly<Record<string, readonly OutOfReach[]>> = {
  github: [
    DELETING,
    {
      reason: 'is outside of a repository: accounts, organizations, enterprises, apps, gists, classrooms',
      operations: [/^(POST|PUT|PATCH) \/(?!repos\/)/],
    },
    {
      reason: 'changes the settings or the visibility of a repository',
      operations: [/^PATCH \/repos\/\{owner\}\/\{repo\}$/],
    },
    {
      reason: 'gives rights to others',
      operations: [
        touching('collaborators', 'invitations', 'repository_invitations', 'installations', 'transfer'),
        touching(
          'personal-access-tokens?',
          'personal-access-token-requests',
          'credential-authorizations',
          'credentials',
        ),
        writing('teams', 'forks', 'generate', 'import', 'topics', 'properties', 'lock', 'interaction-limits'),
      ],
    },
    {
      reason: 'reads or sets keys, secrets or variables',
      operations: [
        touching('keys', 'gpg_keys', 'ssh_signing_keys', 'secrets', 'organization-secrets', 'public-key'),
        touching('variables', 'organization-variables', 'tokens?', 'access_tokens', 'private-registries'),
        touching('registration-token', 'remove-token', 'generate-jitconfig', 'secret-scanning', 'feeds'),
        touching('oidc', 'conversions', 'migrations', 'codespaces', 'gists', 'audit-log', 'emails'),
      ],
    },
    {
      reason: 'reads what a workflow printed or stored, or unpublished weaknesses',
      operations: [
        touching('logs', 'artifacts', 'caches', 'usage-by-repository'),
        /\/repos\/\{owner\}\/\{repo\}\/(security-advisories|dependabot|code-scanning)/,
      ],
    },
    { reason: 'sends events elsewhere', operations: [touching('hooks?', 'deliveries')] },
    {
      reason: 'runs code with other rights, or deploys',
      operations: [
        writing(
          'actions',
          'agents',
          'dispatches',
          'deployments',
          'environments',
          'pages',
          'copilot',
          'merge-upstream',
        ),
        writing('code-scanning', 'code-quality', 'code-security', 'dependency-graph', 'autofix'),
        touching('runners', 'runner-groups', 'hosted-runners'),
      ],
    },
    {
      reason: 'weakens or forges what protected branches rely on',
      operations: [
        writing(
          'branches',
          'protection',
          'rulesets',
          'statuses',
          'check-runs',
          'check-suites',
          'attestations',
        ),
        writing('vulnerability-alerts', 'automated-security-fixes', 'private-vulnerability-reporting'),
        writing('immutable-releases', 'autolinks', 'dismissals', 'merge-async', 'security-advisories'),
      ],
    },
  ],
  gitlab: [
    DELETING,
    {
      reason: 'is outside of a project: accounts, groups, the instance',
      operations: [
        /^(POST|PUT|PATCH) \/api\/v4\/(?!projects\/\{x\})/,
        /\/(admin|application|applications|license)(\/| )/,
      ],
    },
    {
      reason: 'changes the settings or the visibility of a project',
      operations: [/^(PUT|POST) \/api\/v4\/projects\/\{x\}$/],
    },
    {
      reason: 'gives rights to others',
      operations: [
        touching(
          'members',
          'invitations',
          'access_requests',
          'job_token_scope',
          'allowlist',
          'invited_groups',
        ),
        writing(
          'share',
          'transfer',
          'fork',
          'archive',
          'unarchive',
          'restore',
          'import',
          'snippets',
          'badges',
          'move',
        ),
      ],
    },
    {
      reason: 'reads or sets keys, tokens or variables',
      operations: [
        touching(
          'access_tokens',
          'deploy_tokens',
          'deploy_keys',
          'tokens',
          'variables',
          'triggers',
          'secure_files',
        ),
        touching(
          'personal_access_tokens',
          'impersonation_tokens',
          'keys',
          'gpg_keys',
          'ssh_certificates',
          'client_keys',
        ),
        touching('terraform', 'export', 'export_relations', 'pipeline_schedules', 'feature_flags', 'unleash'),
        touching('clusters', 'cluster_agents', 'audit_events', 'dependency_proxy'),
        /^GET \/api\/v4\/groups\/\{x\}$/,
      ],
    },
    { reason: 'reads what a job printed or stored', operations: [touching('trace', 'artifacts')] },
    {
      reason: 'sends events or the repository elsewhere',
      operations: [touching('hooks', 'integrations', 'services', 'remote_mirrors', 'mirror', 'system_hooks')],
    },
    {
      reason: 'runs code with other rights, or deploys',
      operations: [
        touching('runners'),
        writing(
          'trigger',
          'pipelines?',
          'jobs',
          'deployments',
          'environments',
          'pages',
          'packages',
          'registry',
        ),
        writing(
          'merge_trains',
          'resource_groups',
          'freeze_periods',
          'housekeeping',
          'repository_storage_moves',
        ),
        writing('protected_environments', 'error_tracking'),
      ],
    },
    {
      reason: 'weakens or forges what protected branches rely on',
      operations: [
        writing('protected_branches', 'protected_tags', 'push_rule', 'statuses', 'external_status_checks'),
        writing('approvals', 'approve', 'unapprove', 'approval_rules', 'reset_approvals', 'status_checks'),
        writing(
          'status_check_responses',
          'merge_request_approval_setting',
          'security_settings',
          'vulnerabilities',
        ),
      ],
    },
  ],
  jira: [
    DELETING,
    {
      reason: 'gives rights to others',
      operations: [
        touching(
          'permissionscheme',
          'permission',
          'role',
          'roledetails',
          'actors',
          'applicationrole',
          'group',
          'groups',
        ),
        touching('issuesecurityschemes', 'securitylevel', 'issuesecuritylevelscheme', 'addons', 'share'),
        /^(POST|PUT) \/rest\/api\/3\/(user|users|permissions|filter|dashboard|settings)/,
        writing('owner', 'defaultShareScope', 'watchers', 'watching', 'move'),
      ],
    },
    {
      reason: 'reads or changes data of apps, which may be credentials',
      operations: [
        touching('properties', 'application-properties', 'app', 'expression', 'atlassian-connect', 'forge'),
      ],
    },
    {
      reason: 'sends events or mail elsewhere',
      operations: [touching('webhook'), writing('notify', 'email')],
    },
    { reason: 'reads the audit log or the license', operations: [touching('auditing', 'license')] },
    {
      reason: 'changes the configuration or many issues at once',
      operations: [
        writing(
          'project',
          'component',
          'version',
          'field',
          'fieldconfiguration.*',
          'issuetype.*',
          'priority.*',
        ),
        writing('screens.*', 'screenscheme', 'status(es)?', 'workflow.*', 'notificationscheme', 'resolution'),
        writing('configuration', 'announcementBanner', 'projectCategory', 'issueLinkType', 'uiModifications'),
        writing(
          'archive',
          'unarchive',
          'bulk/issues',
          'task',
          'mypreferences',
          'classification-level',
          'customFieldOption',
        ),
      ],
    },
  ],
  slack: [
    {
      reason: 'administers, authorizes, or gives rights to others',
      operations: [
        /\/api\/(admin|apps|oauth|migration|usergroups\.users\.update|usergroups\.(create|disable|enable|update))\b/,
      ],
    },
    {
      reason: 'changes members or channels',
      operations: [/\.(invite|kick|archive|unarchive|create|rename|setPurpose|setTopic)\b/],
    },
    { reason: 'deletes', operations: [/\.(delete|deleteScheduledMessage|deletePhoto|revoke|uninstall)\b/] },
    {
      reason: 'publishes files',
      operations: [/files\.(sharedPublicURL|revokePublicURL|remote\.(add|share|update|remove))/],
    },
    {
      reason: "opens a connection with a ticket, or changes the token's user",
      operations: [/\/api\/(rtm|users\.(set|profile\.set)|dnd)/],
    },
    {
      reason: 'reads access logs and billing',
      operations: [/team\.(accessLogs|billableInfo|integrationLogs)/],
    },
  ],
  openai: [
    DELETING,
    { reason: 'administers organizations and projects', operations: [/\/v1\/(organization|projects)\b/] },
    {
      reason: 'creates keys',
      operations: [touching('client_secrets', 'sessions', 'transcription_sessions')],
    },
    {
      reason: 'stores or reads files, models and conversations',
      operations: [
        touching(
          'files',
          'uploads',
          'fine_tuning',
          'vector_stores',
          'assistants',
          'threads',
          'batches',
          'containers',
        ),
        touching('conversations', 'evals', 'skills', 'voices', 'voice_consents'),
      ],
    },
  ],
  s3: [
    DELETING,
    {
      reason: 'changes the bucket: its policy, rights, encryption, website, replication',
      operations: [/^(PUT|POST) \/\{Bucket\}(\?|$)/],
    },
    {
      reason: 'changes who may access an object',
      operations: [/^(PUT|POST) .*\?(acl|legal-hold|retention)\b/],
    },
  ],
  graph: [
    {
      reason: 'reads keys, passwords or ways to log in',
      operations: [
        /bitlocker|deviceLocalCredentials|\/authentication|passwordCredential|keyCredential|keySets|temporaryAccessPass/i,
        /synchronization|secrets|oauth2PermissionGrants|trustFramework|certificateBasedAuth|windowsHello|fido2/i,
      ],
    },
    {
      reason: 'lists applications, roles and policies',
      operations: [
        /\/(applications|servicePrincipals|roleManagement|directoryRoles|policies|identity|appRoleAssign\w*)\b/i,
      ],
    },
    {
      reason: 'reads permissions and sharing links',
      operations: [/\/(permissions?|shares|invitations|permissionGrants)\b/i],
    },
    {
      reason: 'reads logs and managed devices',
      operations: [/\/(auditLogs|security|deviceManagement|devices|managedDevices|deviceAppManagement)\b/i],
    },
  ],
}
