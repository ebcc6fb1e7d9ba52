import type { Command } from 'commander'

/** What `--help` begins with, by the words of a command. A test runs each of these lines. */
const EXAMPLES: Readonly<Record<string, string>> = {
  '': `
  egress run claude                             run Claude Code in a sandbox, without giving it your API key
  egress init                                   create a commented egress.yaml
  egress check                                  validate the policy and explain it
  egress run -- python3 my_agent.py             run any program in a sandbox behind the firewall
  egress explain GET https://api.github.com/    show whether a request is allowed, and why
  egress explain dns pypi.org                   show why a DNS name is allowed or denied
  egress logs --denied                          show what was denied, and why`,
  run: `
  egress run claude                             a known agent (see \`egress agents\`), without giving it your API key
  egress run -- python3 my_agent.py             any program; the work directory is read-only
  egress run --write -- python3 my_agent.py     it may write to the work directory
  egress run --agent ci --label task=123 -- python3 my_agent.py
                                                as an agent of the policy, marked in the audit log
  egress run --limit memory=2g --env MODE=test -- python3 my_agent.py
                                                with less memory, and a variable of its own
  egress run --observe -- python3 my_agent.py   let unlisted hosts pass, to see what a policy needs`,
  serve: `
  egress serve                                  resolver and proxy in one process
  egress serve --admin 9901 --admin-token-file egress-admin-token
                                                and the admin listener on a port of the loopback`,
  reload: `
  egress reload                                 after a change of egress.yaml; a rejected one changes nothing`,
  doctor: `
  egress doctor                                 try to get out of a sandbox in every known way
  egress doctor --agent ci --json               as an agent of the policy, for a program`,
  check: `
  egress check                                  what egress.yaml allows, in words, or what is wrong with it
  egress check new.yaml --json                  the same for a program
  egress check --live                           also connect to each upstream, and get each token`,
  explain: `
  egress explain GET https://api.github.com/    whether it is allowed, and by which rule
  egress explain dns pypi.org                   the same for a name
  egress explain --agent ci --json POST https://api.github.com/graphql
                                                of one agent, for a program`,
  init: `
  egress init                                   create a commented egress.yaml
  egress init --agent claude claude.yaml        what Claude Code needs, and nothing else`,
  agents: `
  egress agents                                 which agents are known, and whether they are installed
  egress agents --json                          the same for a program, one object per line`,
  presets: `
  egress presets                                the services that need no rules of your own
  egress presets github                         one of them in full`,
  suggest: `
  egress suggest                                what would allow what was denied
  egress suggest --since 1h --agent ci          of the last hour, to one agent
  egress suggest --since 1h >> egress.yaml      add it to the policy; then read it, and run \`egress check\`
  egress suggest http.ndjson                    of a log from another machine`,
  diff: `
  egress diff egress.yaml new.yaml              what new.yaml allows and forbids beside egress.yaml
  egress diff --json old.yaml egress.yaml       the same for a program
  git show HEAD:egress.yaml > old.yaml && egress diff old.yaml egress.yaml
                                                what a change means that is not committed yet`,
  test: `
  egress test                                   run the \`tests\` in egress.yaml
  egress test --junit results.xml               and write the results for a CI system
  egress test new.yaml --replay ~/.local/state/egress/audit
                                                which recorded decisions new.yaml would change`,
  logs: `
  egress logs -f                                what happens now
  egress logs --denied --since 10m              what the policy denied
  egress logs --failed --host api.example       what it allows, and did not work
  egress logs show 4f6c01aa                     one request, from its DNS query to its end
  egress logs stats --since 1d --agent ci       figures
  egress logs --format csv --since 1d           a table for a spreadsheet
  egress logs summary >> "$GITHUB_STEP_SUMMARY"  the page of a CI job
  egress logs verify                            check that nobody changed the log`,
  'logs show': `
  egress logs show 4f6c01aa                     one request, from its DNS query to its end
  egress logs show 4f6c01aa --json              its records, unchanged`,
  'logs stats': `
  egress logs stats                             the whole log in figures
  egress logs stats http --since 1d --agent ci  requests of one agent on the last day
  egress logs stats --format markdown           tables for a report`,
  'logs summary': `
  egress logs summary >> "$GITHUB_STEP_SUMMARY"  the page of a CI job
  egress logs summary --label task=123          of the sandboxes with a label`,
  'logs verify': `
  egress logs verify                            with the key of this machine
  egress logs verify --public-key gateway.pub.pem
                                                with the key that you kept
  egress logs verify --open                     logs of gateways that still run, or were killed`,
  sandboxes: `
  egress sandboxes                              who runs, since when, and what was denied
  egress sandboxes --json                       the same for a program, one object per line`,
  stop: `
  egress stop sb-0123456789                     cut one sandbox off, and end it
  egress stop --all                             the same for all, and refuse new ones until \`egress start\``,
  start: `
  egress start                                  take new sandboxes again after \`egress stop --all\``,
  pause: `
  egress pause research                         nothing of this agent passes; its processes go on
  egress resume research                        and it does again`,
  approvals: `
  egress approvals                              what waits for a person
  egress approvals ap-5d0c7e                    all of one request: headers, body, credential
  egress approve ap-5d0c7e                      send exactly this request, once
  egress approve ap-5d0c7e --for 15m            again and again for 15 minutes, and no other request
  egress approve ap-5d0c7e --always             once, and print the rule that would allow it without asking
  egress deny ap-5d0c7e                         refuse it, or take an approval back`,
}

/** Commands that share the examples of another. */
const SAME: Readonly<Record<string, string>> = { resume: 'pause', approve: 'approvals', deny: 'approvals' }

/** Lets the help of each command begin with its examples. */
export function addExamples(command: Command, words: readonly string[] = []): void {
  const name = words.join(' ')
  const examples = EXAMPLES[SAME[name] ?? name]
  if (examples !== undefined) command.addHelpText('before', `Examples:${examples}\n`)
  for (const one of command.commands) addExamples(one, [...words, one.name()])
}
