import * as z from 'zod'
import { field, text } from './parts.js'

/** One entry of `tests`. A gateway that runs has no use for them. */
const expectation = z.strictObject({
  name: field(text, 'what is expected, in your own words', 'name: CI opens issues').optional(),
  agent: field(text, 'the agent that asks (default: the only one, or `default`)', 'agent: ci').optional(),
  request: field(
    text,
    'the request: a method, or `grpc`, a space and the URL',
    'request: GET https://api.example.com/items',
  ).optional(),
  dns: field(text, 'the name that is looked up, in place of `request`', 'dns: pypi.org').optional(),
  body: field(
    text,
    'what the request sends to an endpoint of GraphQL: a document, or JSON with one in `query`',
    'body: "{ viewer { login } }"',
  ).optional(),
  expect: field(z.enum(['allow', 'deny', 'ask']), 'what the policy says to it', 'expect: deny'),
  reason: field(text, 'why it is denied, as in the audit log', 'reason: no-rule').optional(),
  service: field(text, 'the service that it is allowed by', 'service: jira').optional(),
  credential: field(
    text,
    'the credential that goes along, as in the audit log, or `none`',
    'credential: jira/bearer',
  ).optional(),
})

export const expectations = field(
  z.array(
    field(expectation, 'one expectation', '- { request: "GET https://pypi.org/simple/", expect: allow }'),
  ),
  'what is expected of this policy, for `egress test`; a gateway that runs ignores them',
  'tests: [{ request: "GET https://pypi.org/simple/", expect: allow }]',
).optional()

export type ExpectationFile = z.infer<typeof expectation>
