import { stringify } from 'yaml'
import { HOSTS } from './names.js'

/** Presets alone, but for where the stand-ins are: every host is dialled on a loopback port. */
export function clientsPolicy(port: number): string {
  const local = { private: true, ca: './ca.pem' }
  const dialled = Object.values(HOSTS).filter((host) => host !== HOSTS.third)
  return stringify({
    services: {
      jira: { use: 'jira', url: `https://${HOSTS.jira}`, ...local },
      jenkins: { use: 'jenkins', targets: [`https://${HOSTS.ci}`, `https://${HOSTS.release}`], ...local },
      teams: { use: 'teams', url: `https://${HOSTS.teams}`, ...local },
      github: { use: 'github-readonly', ...local },
      git: { use: 'github', url: `https://${HOSTS.git}`, ...local },
      openai: { use: 'openai', ...local },
      anthropic: { use: 'anthropic', ...local },
    },
    upstream: { hosts: Object.fromEntries(dialled.map((host) => [host, `127.0.0.1:${String(port)}`])) },
  })
}
