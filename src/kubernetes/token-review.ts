import { EgressError, EXIT } from '../common/errors.js'
import type { KubernetesApi } from './api.js'

/** The audience of the tokens that pods present. A token for the API server, or for somebody else, is not taken. */
export const AUDIENCE = 'egress'

/** What a token proves. */
export interface Claim {
  readonly namespace: string
  readonly serviceAccount: string
  readonly podName: string
  readonly podUid: string
}

/** Asks the API server what a token proves; null for one that proves nothing here. @throws EgressError */
export async function reviewToken(api: Pick<KubernetesApi, 'ask'>, token: string): Promise<Claim | null> {
  const { status, body } = await api.ask('/apis/authentication.k8s.io/v1/tokenreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences: [AUDIENCE] },
  })
  if (status !== 201) throw refused('create tokenreviews', status)
  return readReview(body)
}

/** The status of a review. */
export function readReview(body: unknown): Claim | null {
  const { status } = body as {
    status?: {
      authenticated?: unknown
      audiences?: unknown
      user?: { username?: unknown; extra?: Readonly<Record<string, readonly string[]>> }
    }
  }
  if (status?.authenticated !== true) return null
  // An authenticator that knows nothing of audiences leaves them out, and has not checked them.
  if (!Array.isArray(status.audiences) || !status.audiences.includes(AUDIENCE)) return null
  const { username, extra = {} } = status.user ?? {}
  const [, namespace = '', serviceAccount = ''] =
    /^system:serviceaccount:([^:]+):([^:]+)$/.exec(String(username)) ?? []
  // Only tokens that are bound to a pod have these.
  const podName = extra['authentication.kubernetes.io/pod-name']?.[0] ?? ''
  const podUid = extra['authentication.kubernetes.io/pod-uid']?.[0] ?? ''
  const isWhole = [namespace, serviceAccount, podName, podUid].every((part) => part !== '')
  return isWhole ? { namespace, serviceAccount, podName, podUid } : null
}

/** The API server answered, and not with what was asked for. */
export function refused(what: string, status: number): EgressError {
  return new EgressError({
    code: 'EGRESS_KUBERNETES',
    problem: `The Kubernetes API does not let the gateway ${what} (status ${String(status)})`,
    fix: 'Check the roles of its service account: kubernetes/chart has those that it needs',
    exitCode: EXIT.failed,
  })
}
