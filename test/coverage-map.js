// Every compiled source counts, whichever test runs it: behaviour is tested across folders here.
import { readdirSync } from 'node:fs'

const folders = ['firewall', 'config', 'dns', 'proxy', 'src']
const all = folders.flatMap((folder) =>
  readdirSync(`dist/${folder}`, { recursive: true })
    .map((name) => `dist/${folder}/${name}`)
    .filter((file) => file.endsWith('.js') && !/\.test\.js$|fixtures\.js$/.test(file)),
)

export default () => all
