import { NAME_PROFILES } from '#firewall/names/name-profiles.js'
import { DEVELOPER_HOSTS } from './workers/developer-hosts.js'
import { isMachineMade, measureNames, realNames } from './workers/name-rates.js'
import { table } from './workers/statistics.js'

// How many real names each profile denies by their features: false positives under a wildcard.

const real = realNames()
const machineMade = real.filter(isMachineMade)
const sets = [
  { title: 'real names', names: real },
  { title: 'only clouds and CDNs', names: machineMade },
  { title: "developers' hosts", names: DEVELOPER_HOSTS },
]
const rows = Object.entries(NAME_PROFILES).flatMap(([profile, limits]) =>
  sets.map(({ title, names }) => {
    const { refused } = measureNames(names, limits)
    const counts = [refused.bytes, refused.length, refused['label-length'], refused.entropy]
    const total = counts.reduce((sum, count) => sum + count, 0)
    const share = ((100 * total) / names.length).toFixed(2)
    return [`${profile}: ${title}`, String(names.length), String(total), `${share} %`, ...counts.map(String)]
  }),
)
process.stdout.write('Names denied by their features, by the first signal\n')
process.stdout.write(
  table(['profile', 'names', 'refused', 'share', 'bytes', 'length', 'label', 'entropy'], rows),
)
