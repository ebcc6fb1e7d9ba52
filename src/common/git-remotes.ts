import type { Policy } from '#firewall/contracts/policy.js'

/** Hosts that serve git, by their names or because a rule mentions a request that only git makes. */
const GIT_HOST = /^(git|github|gitlab|gitea|forgejo|gogs|bitbucket|codeberg)[.-]/
/** Hosts of the same services, with the same rules. */
const API_HOST = /^(api|uploads)[.-]/
const GIT_REQUEST = /info\/refs|git-(upload|receive)-pack/

/** Hosts beyond this number have to be rewritten by the user's own settings. */
const MAX_HOSTS = 16

/**
 * Settings of git, as variables, that turn remotes over ssh into https: `git@github.com:acme/app.git` and
 * `ssh://git@github.com/acme/app.git`. A sandbox has no ssh, and over https the gateway adds the credential.
 */
export function gitRemoteVariables({ destinations }: Policy): Record<string, string> {
  const hosts = destinations
    .filter(({ scheme, ports, mode }) => scheme === 'https' && ports.includes(443) && mode === 'intercept')
    .filter(({ host, rules }) => GIT_HOST.test(host.text) || rules.some(({ text }) => GIT_REQUEST.test(text)))
    .map(({ host }) => host.text)
    .filter((host) => !host.includes('*') && !API_HOST.test(host))
  const settings = [...new Set(hosts)]
    .slice(0, MAX_HOSTS)
    .flatMap((host) =>
      [`git@${host}:`, `ssh://git@${host}/`].map(
        (remote) => [`url.https://${host}/.insteadOf`, remote] as const,
      ),
    )
  if (settings.length === 0) return {}
  return {
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${String(index)}`, key],
        [`GIT_CONFIG_VALUE_${String(index)}`, value],
      ]),
    ),
  }
}
