import type { Operations } from './preset.js'

const reads = (...paths: readonly string[]): readonly string[] => paths.map((path) => `GET,HEAD /v1.0${path}`)

const below = (parents: readonly string[], ...paths: readonly string[]): readonly string[] =>
  parents.flatMap((parent) => reads(...paths.map((path) => `${parent}${path}`)))

/** A file by its path, `root:/folder/file.txt:/content`: a path pattern cannot say "any depth, then `:/content`". */
const BY_PATH = [1, 2, 3, 4, 5, 6].map((depth) => `/root:${'/*'.repeat(depth)}`)

const FILES = [
  '',
  '/root',
  '/root/children',
  '/root/delta',
  '/root/search*',
  '/items/*',
  '/items/*/children',
  '/items/*/content',
  '/items/*/versions',
  '/items/*/thumbnails',
  ...BY_PATH.flatMap((path) => [`${path}:/content`, `${path}:/children`]),
]

/**
 * Not here, because the response contains secrets or lists who has which rights: BitLocker keys, local administrators' passwords,
 * authentication methods, applications and service principals, roles, policies, sign-in and audit logs, devices and their
 * management, and the permissions and sharing links of files and sites.
 */
export const GRAPH_READS: readonly Operations[] = [
  {
    about: 'read users, groups and their members',
    allow: reads(
      '/users',
      '/users/*',
      '/users/*/manager',
      '/users/*/directReports',
      '/users/*/memberOf',
      '/users/*/transitiveMemberOf',
      '/users/*/photo',
      '/users/*/photo/$value',
      '/users/*/presence',
      '/groups',
      '/groups/*',
      '/groups/*/members',
      '/groups/*/transitiveMembers',
      '/groups/*/owners',
      '/groups/*/memberOf',
      '/groups/*/photo/$value',
      '/organization',
    ),
  },
  {
    about: 'read mail, calendars and contacts',
    allow: [
      ...below(
        ['/users/*'],
        '/messages',
        '/messages/*',
        '/messages/*/attachments/**',
        '/mailFolders',
        '/mailFolders/*',
        '/mailFolders/*/messages/**',
        '/mailFolders/*/childFolders',
        '/contacts/**',
      ),
      ...below(
        ['/users/*', '/groups/*'],
        '/events',
        '/events/*',
        '/events/*/instances',
        '/calendarView',
        '/calendar',
        '/calendar/events',
        '/calendar/calendarView',
      ),
      ...reads('/users/*/calendars', '/users/*/calendars/*/events', '/users/*/calendars/*/calendarView'),
    ],
  },
  {
    about: 'read teams, channels and chats',
    allow: reads(
      '/users/*/joinedTeams',
      '/users/*/chats',
      '/teams/*',
      '/teams/*/channels',
      '/teams/*/channels/*',
      '/teams/*/channels/*/messages/**',
      '/teams/*/channels/*/filesFolder',
      '/teams/*/members',
      '/chats/*',
      '/chats/*/messages/**',
      '/chats/*/members',
    ),
  },
  {
    about: 'read files; not their permissions and links',
    allow: below(
      ['/drives/*', '/users/*/drive', '/groups/*/drive', '/sites/*/drive', '/sites/*/drives/*'],
      ...FILES,
    ),
  },
  {
    about: 'read sites and lists',
    allow: reads(
      '/sites',
      '/sites/*',
      '/sites/*/sites',
      '/sites/*/drives',
      '/sites/*/lists',
      '/sites/*/lists/*',
      '/sites/*/lists/*/columns',
      '/sites/*/lists/*/items',
      '/sites/*/lists/*/items/*',
      '/sites/*/lists/*/items/*/fields',
      '/sites/*/pages',
      '/users/*/drives',
      '/groups/*/drives',
      '/groups/*/sites/root',
    ),
  },
  {
    about: 'read tasks and plans',
    allow: reads(
      '/users/*/todo/lists',
      '/users/*/todo/lists/*/tasks',
      '/users/*/planner/tasks',
      '/groups/*/planner/plans',
      '/planner/plans/*',
      '/planner/plans/*/tasks',
      '/planner/plans/*/buckets',
      '/planner/tasks/*',
      '/planner/tasks/*/details',
    ),
  },
]
