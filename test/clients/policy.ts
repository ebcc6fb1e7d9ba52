import { stringify } from 'yaml'
import { HOSTS, S3_REGION } from './names.js'

/** Only presets, except for the addresses of the mock servers: every host is on a loopback port. */
export function clientsPolicy(ports: { readonly web: number; readonly s3: number }): string {
  const local = { allow_private_addresses: true, ca: './ca.pem' }
  const buckets: readonly string[] = [HOSTS.reports, HOSTS.backups]
  const listed = Object.values(HOSTS).filter((host) => host !== HOSTS.third && host !== HOSTS.otherBucket)
  const dialled = listed.map((host): [string, string] => [
    host,
    `127.0.0.1:${String(buckets.includes(host) ? ports.s3 : ports.web)}`,
  ])
  return stringify({
    services: {
      jira: { use: 'jira', url: `https://${HOSTS.jira}`, ...local },
      jenkins: { use: 'jenkins', targets: [`https://${HOSTS.ci}`, `https://${HOSTS.release}`], ...local },
      s3: {
        use: 's3',
        targets: buckets.map((host) => `https://${host}`),
        credential: { sigv4: { region: S3_REGION } },
        ...local,
      },
      teams: { use: 'teams', url: `https://${HOSTS.teams}`, ...local },
      github: { use: 'github-readonly', ...local },
      git: { use: 'github', url: `https://${HOSTS.git}`, owner: 'team', project: 'app', ...local },
      openai: { use: 'openai', ...local },
      anthropic: { use: 'anthropic', ...local },
    },
    upstream: { hosts: Object.fromEntries(dialled) },
  })
}
