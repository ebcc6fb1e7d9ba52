import * as z from 'zod'
import { count, duration, field, text } from './parts.js'

/** Requests that a person must approve. */
export const approvals = z.strictObject({
  hold: duration('how long a request is held, in case that it is approved at once', 'hold: 20s').optional(),
  expire: duration(
    'how long a request waits for a decision, and an approval for its request',
    'expire: 1h',
  ).optional(),
  max_body: field(
    z.union([count, text]),
    'the largest body of a request that must be approved, in bytes or with a unit, up to 1MiB',
    'max_body: 256KiB',
  ).optional(),
  webhook: field(
    z.strictObject({
      url: field(text, 'an https:// URL', 'url: https://chat.example.com/hooks/egress'),
      secret: field(text, 'the key of the HMAC signatures', 'secret: "${WEBHOOK_KEY}"'),
    }),
    'where new approvals are reported, as signed JSON',
    'webhook: { url: https://chat.example.com/hooks/egress, secret: "${WEBHOOK_KEY}" }',
  ).optional(),
})
