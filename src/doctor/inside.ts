// Imports nothing outside of this folder: it is all that a sandbox of namespaces sees of the program.

import { runProbes } from './probes.js'
import { readFacts, renderFindings } from './report.js'

// What `doctor` starts inside a throw-away sandbox.

const { json, ...facts } = readFacts(process.argv.slice(2))
const findings = await runProbes(facts)
process.stdout.write(
  json ? findings.map((finding) => `${JSON.stringify(finding)}\n`).join('') : renderFindings(findings),
)
process.exitCode = findings.every(({ held }) => held) ? 0 : 1
