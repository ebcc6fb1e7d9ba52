import type { RunTotals } from '../logs/run-summary.js'
import { json, type AdminRoute } from './route.js'

/** What `GET /sandboxes/:id/summary` says: what one role of the gateway was asked by a sandbox, also after its end. */
export interface SandboxSummary extends RunTotals {
  /** Hosts whose refusals nobody needs to be told of, as the policy has them. */
  readonly quiet: readonly string[]
}

export function summaryRoute(
  summaries: { of(sandbox: string): RunTotals },
  quiet: () => readonly { readonly text: string }[],
): AdminRoute {
  return {
    method: 'GET',
    path: '/sandboxes/:id/summary',
    handle: ({ params: { id = '' } }) =>
      json({ ...summaries.of(id), quiet: quiet().map(({ text }) => text) } satisfies SandboxSummary),
  }
}
