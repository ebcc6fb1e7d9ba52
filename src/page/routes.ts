import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { json, type AdminRoute } from '../control/route.js'
import type { LiveFeed } from './live-feed.js'

/** What one sandbox has used of what names under a wildcard may carry out. */
export interface LeakBudget {
  readonly sandbox: string
  readonly wildcard: string
  readonly bytes: number
  /** Per day. */
  readonly limit: number
}

export interface PageOptions {
  readonly feed: LiveFeed
  readonly budgets: () => readonly LeakBudget[]
  /** The policy in force, in words. */
  readonly policy: () => Promise<string>
}

const part = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8')

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/**
 * The page of the admin listener: one document that says nothing about the gateway, and asks for everything with the token that
 * its user gives it. Nothing but the script and the style in it, by their hashes, runs or is shown.
 */
export function pageRoutes({ feed, budgets, policy }: PageOptions): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/',
      isPublic: true,
      handle() {
        const [style, script] = [part('page.css'), part('page.js')]
        const body = part('page.html')
          .replace('<style></style>', () => `<style>${style}</style>`)
          .replace('<script></script>', () => `<script>${script}</script>`)
        const rules = [
          "default-src 'none'",
          `script-src ${hashOf(script)}`,
          `style-src ${hashOf(style)}`,
          "connect-src 'self'",
          "base-uri 'none'",
          "form-action 'none'",
          "frame-ancestors 'none'",
          "require-trusted-types-for 'script'",
        ].join('; ')
        const headers = {
          'content-security-policy': rules,
          'referrer-policy': 'no-referrer',
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-resource-policy': 'same-origin',
        }
        return { status: 200, type: 'text/html; charset=utf-8', body, headers }
      },
    },
    {
      method: 'GET',
      path: '/events',
      handle: ({ signal }) => ({ status: 200, type: 'text/event-stream', body: feed.stream(signal) }),
    },
    { method: 'GET', path: '/budgets', handle: () => json({ budgets: budgets() }) },
    { method: 'GET', path: '/timeline', handle: () => json({ minutes: feed.minutes() }) },
    { method: 'GET', path: '/policy', handle: async () => json({ text: await policy() }) },
  ]
}
