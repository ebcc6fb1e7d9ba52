/** What `egress init` writes. It is valid as it stands, names no secret, and allows one package index read-only. */
export const STARTER_POLICY = `# What agents behind this gateway may reach. Whatever is not listed here is denied.
# \`egress check\` says in plain words what this file means; \`egress explain GET https://host/path\` tries one request.

# Hosts that may be used without a credential.
allow:
  - host: pypi.org # exact; "*.example.com" is one more label, "**.example.com" any depth
    methods: [GET, HEAD] # default: any
    paths: [/simple/**, /pypi/**] # default: any
  - host: files.pythonhosted.org
    methods: [GET, HEAD]
#  - host: registry.npmjs.org
#    methods: [GET, HEAD]

# Services that need a credential. The agent gets a worthless placeholder; the gateway puts the real one into requests that a
# rule allows. The value comes from the environment (NAME), a file (NAME_FILE) or .env beside this file, never from here.
#services:
#  jira:
#    url: https://jira.example.com
#    credential:
#      bearer: "\${JIRA_TOKEN}"
#    rules: # the first line that matches decides; nothing else is allowed
#      - allow: GET,HEAD /rest/api/2/**
#      - deny: DELETE /**
#      - allow: "* /rest/api/2/issue/**" # quotes, because to YAML an unquoted * begins an alias
#    rate: { per_second: 10, burst: 20 }
#    env: { JIRA_SERVER: "{url}" } # variables of the sandbox

# Who may use what. Without this section there is one agent, \`default\`, that may use everything above.
#agents:
#  default: { allow: all }
#  ci: { services: [jira], allow: [pypi.org] }
`
