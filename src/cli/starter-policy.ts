/** The file that `egress init` creates: a valid policy without secrets that allows read-only access to PyPI. */
export const STARTER_POLICY = `# Hosts and services that agents may use. Everything else is denied.
# \`egress check\` explains this file in plain English; \`egress explain GET https://host/path\` checks one request.

# Hosts that agents may use without a credential.
allow:
  - host: pypi.org # exact; "*.example.com" matches one more label, "**.example.com" any number
    methods: [GET, HEAD] # default: any
    paths: [/simple/**, /pypi/**] # default: any
  - host: files.pythonhosted.org
    methods: [GET, HEAD]
#  - host: registry.npmjs.org
#    methods: [GET, HEAD]

# Services that need a credential. The agent gets a placeholder; the gateway injects the real credential into requests that
# a rule allows. Set the secret in the environment (NAME), in a file (NAME_FILE) or in .env beside this file, never here.
#services:
#  jira:
#    url: https://jira.example.com
#    credential:
#      bearer: "\${JIRA_TOKEN}"
#    rules: # the first match decides; everything else is denied
#      - allow: GET,HEAD /rest/api/2/**
#      - deny: DELETE /**
#      - allow: "* /rest/api/2/issue/**" # quoted, because an unquoted * is a YAML alias
#    rate: { per_second: 10, burst: 20 }
#    env: { JIRA_SERVER: "{url}" } # environment variables in the sandbox

# Agents and what each may use. Without this section, the agent \`default\` may use everything above.
#agents:
#  default: { allow: all }
#  ci: { services: [jira], allow: [pypi.org] }
`
