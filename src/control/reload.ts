import { json, type AdminRoute } from './route.js'

/** @param reload resolves when the new policy is in force, and rejects with the error if it is not */
export function reloadRoute(reload: () => Promise<void>): AdminRoute {
  return {
    method: 'POST',
    path: '/reload',
    async handle() {
      await reload()
      return json({ status: 'reloaded' })
    },
  }
}
