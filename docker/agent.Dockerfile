# The image of one agent: what sandboxes run in by default, with the agent's package.
ARG BASE=agent-egress-sandbox:local
FROM ${BASE}
ARG NPM=''
ARG PYPI=''
USER root
RUN if [ -n "$NPM" ]; then npm install --global --no-audit --no-fund "$NPM" && npm cache clean --force; fi
RUN if [ -n "$PYPI" ]; then \
    apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/* && \
    python3 -m venv /opt/agent && /opt/agent/bin/pip install --no-cache-dir "$PYPI" && ln -s /opt/agent/bin/* /usr/local/bin/; \
  fi
USER 1000:1000
