import { parseDuration } from '#config/limits/quantities.js'
import { EgressError, usage } from '../common/errors.js'
import {
  errorResponse,
  json,
  type AdminRequest,
  type AdminResponse,
  type AdminRoute,
} from '../control/route.js'
import type { Decider } from '../events/events.js'
import type { Desk, Scope, ShownApproval } from './desk.js'
import { presentApproval } from './present.js'

/** Milliseconds for which an approval may hold. */
const LONGEST_MS = 86_400_000

/** @param desk null while there is no gateway yet, and so nothing that waits */
export function approvalRoutes(desk: () => Desk | null): AdminRoute[] {
  const decide = (
    path: AdminRoute['path'],
    act: (desk: Desk, request: AdminRequest, by: Decider) => ShownApproval | null,
  ): AdminRoute => ({
    method: 'POST',
    path,
    async handle(request) {
      const by = await deciderOf(request)
      const there = desk()
      const decided = there === null ? null : act(there, request, by)
      return decided === null ? unknown(request) : json({ approval: presentApproval(decided, false), by })
    },
  })
  return [
    {
      method: 'GET',
      path: '/approvals',
      handle: () => json({ approvals: (desk()?.list() ?? []).map((one) => presentApproval(one, false)) }),
    },
    {
      method: 'GET',
      path: '/approvals/:id',
      handle(request) {
        const found = desk()?.find(request.params['id'] ?? '') ?? null
        return found === null ? unknown(request) : json({ approval: presentApproval(found, true) })
      },
    },
    decide('/approvals/:id/approve', (there, { params, body }, by) =>
      there.approve(params['id'] ?? '', readScope(body), by),
    ),
    decide('/approvals/:id/deny', (there, { params }, by) => there.deny(params['id'] ?? '', by)),
  ]
}

async function deciderOf({ access, user }: AdminRequest): Promise<Decider> {
  const { uid, name } = await user()
  return { via: access === 'socket' ? 'socket' : 'token', name, uid }
}

/** `{}` for once, `{"for": "15m"}` for as long. */
function readScope(body: unknown): Scope {
  const { for: text } = (body ?? {}) as { readonly for?: unknown }
  if (text === undefined) return { kind: 'once' }
  const ms = typeof text === 'string' ? parseDuration(text) : null
  if (ms !== null && ms >= 1_000 && ms <= LONGEST_MS) return { kind: 'repeated', ms }
  throw usage(
    'Invalid duration of an approval',
    'Write a number and s, m or h, from 1s to 24h, such as `15m`',
  )
}

function unknown({ params }: AdminRequest): AdminResponse {
  const error = new EgressError({
    code: 'EGRESS_NO_APPROVAL',
    problem: `No approval \`${params['id'] ?? ''}\``,
    fix: 'List them with `egress approvals`: one that nobody decided in time, or that was used, is gone',
    exitCode: 1,
  })
  return errorResponse(error, 404)
}
