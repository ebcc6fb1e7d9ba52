import * as z from 'zod'
import { field, text } from './parts.js'

/** One line of `rules`. */
export const rule = field(
  z.strictObject({
    allow: field(
      text,
      'methods and a path to allow, `GRPC` and a method, or `GRAPHQL` and an operation',
      'allow: GET,HEAD /rest/api/2/**',
    ).optional(),
    deny: field(text, 'methods and a path to deny', 'deny: DELETE /**').optional(),
    ask: field(
      text,
      'methods and a path, `GRPC` and a method, or `GRAPHQL` and an operation, that a person must approve each time',
      'ask: POST /repos/*/*/issues',
    ).optional(),
  }),
  '`allow`, `deny` or `ask` with methods (or `*`), a space, and a path pattern below the base path of the URL',
  '- allow: GET,HEAD /rest/api/2/**',
)

/** Rules for gRPC, by service and method. */
export const grpc = field(
  z.strictObject({
    allow: field(
      z.array(text).min(1),
      'the methods to allow, as `package.Service/Method` or `package.Service/*`',
      'allow: [inventory.v1.Stock/Get]',
    ).optional(),
    deny: field(
      z.array(text).min(1),
      'the methods to deny, which is decided before `allow`',
      'deny: [inventory.v1.Stock/Delete]',
    ).optional(),
    ask: field(
      z.array(text).min(1),
      'the methods that a person must approve each time, which is decided after `deny` and before `allow`',
      'ask: [inventory.v1.Stock/Put]',
    ).optional(),
  }),
  'the gRPC methods to allow and deny; all others are denied',
  'grpc: { allow: [inventory.v1.Stock/Get] }',
).optional()

/** Rules for GraphQL, by operation. */
export const graphql = field(
  z.strictObject({
    path: field(text, 'the path of the endpoint (default: /graphql)', 'path: /api/graphql').optional(),
    allow: field(
      z.array(text).min(1),
      'the operations to allow: a type and a root field, or `*` for any',
      'allow: [query *, mutation createIssue]',
    ).optional(),
    deny: field(
      z.array(text).min(1),
      'the operations to deny, which is decided before `allow`; `**.name` for a field at any depth',
      'deny: ["* **.auditLog"]',
    ).optional(),
    ask: field(
      z.array(text).min(1),
      'the operations that a person must approve each time, which is decided after `deny` and before `allow`',
      'ask: [mutation createIssue]',
    ).optional(),
    persisted: field(
      z.array(text).min(1),
      'ids or SHA-256 hashes of persisted documents to allow (default: none)',
      'persisted: [getViewer]',
    ).optional(),
  }),
  'the GraphQL operations to allow and deny; all others are denied',
  'graphql: { allow: [query *, mutation createIssue] }',
).optional()
