import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StateDirectories } from '../common/state.js'
import type { PodIdentity, PodIdentityOptions } from '../kubernetes/pod-identity.js'
import { readKubernetesSettings } from '../kubernetes/settings.js'

interface ServePods extends Omit<PodIdentityOptions, 'api' | 'settings' | 'authority'> {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly state: StateDirectories
}

/** Takes pods as sandboxes if the gateway runs in a cluster; otherwise null. @throws EgressError */
export async function servePods({ env, state, ...options }: ServePods): Promise<PodIdentity | null> {
  const settings = readKubernetesSettings(env)
  if (settings === null) return null
  // Loaded only where they are used.
  const [{ KubernetesApi }, { startPodIdentity }] = await Promise.all([
    import('../kubernetes/api.js'),
    import('../kubernetes/pod-identity.js'),
  ])
  const read = (name: string) => readFileSync(join(state.ca, name), 'utf8')
  return startPodIdentity({
    ...options,
    api: KubernetesApi.inCluster(env),
    settings,
    authority: { certificate: read('authority.pem'), key: read('authority.key') },
  })
}
