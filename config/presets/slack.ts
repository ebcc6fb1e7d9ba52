import type { Preset } from './preset.js'

const methods = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `GET,POST /api/${name}`)

/**
 * Not here: deleting, inviting and removing members, creating and changing channels, public links to files, profiles, user groups,
 * apps, workflows, calls, reminders, `admin.*`, `oauth.*`, and `rtm.connect` and `apps.connections.open`, whose responses contain
 * the ticket of a connection.
 */
export const slack: Preset = {
  name: 'slack',
  description: "Slack's Web API, with a bot token: read, write messages and files",
  example: {},
  service: {
    targets: ['https://slack.com', 'https://files.slack.com'],
    credential: { bearer: { token: '${SLACK_BOT_TOKEN}' } },
    env: { SLACK_BOT_TOKEN: '{placeholder:SLACK_BOT_TOKEN}' },
  },
  operations: [
    { about: 'test the connection', allow: methods('api.test', 'auth.test') },
    {
      about: 'send, edit and schedule messages',
      allow: methods(
        'chat.postMessage',
        'chat.postEphemeral',
        'chat.meMessage',
        'chat.update',
        'chat.scheduleMessage',
        'chat.scheduledMessages.list',
        'chat.getPermalink',
        'chat.startStream',
        'chat.appendStream',
        'chat.stopStream',
      ),
    },
    {
      about: 'read channels and their messages, join public channels, open direct messages',
      allow: methods(
        'conversations.history',
        'conversations.info',
        'conversations.join',
        'conversations.list',
        'conversations.mark',
        'conversations.members',
        'conversations.open',
        'conversations.replies',
        'search.messages',
      ),
    },
    {
      about: 'read and upload files',
      allow: [
        ...methods(
          'files.info',
          'files.list',
          'files.upload',
          'files.getUploadURLExternal',
          'files.completeUploadExternal',
        ),
        'GET /files-pri/**',
        'POST /upload/**',
      ],
    },
    {
      about: 'react and pin',
      allow: methods(
        'reactions.add',
        'reactions.get',
        'reactions.list',
        'reactions.remove',
        'pins.add',
        'pins.list',
      ),
    },
    {
      about: 'read about users, bots, emoji and the workspace',
      allow: methods(
        'users.info',
        'users.list',
        'users.lookupByEmail',
        'users.conversations',
        'users.getPresence',
        'users.profile.get',
        'users.identity',
        'usergroups.list',
        'bots.info',
        'emoji.list',
        'team.info',
      ),
    },
  ],
  placeholders: { token: { prefix: 'xoxb-', length: 56, alphabet: 'alphanumeric' } },
}
