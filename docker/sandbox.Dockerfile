# What agents run in unless `--image` names another: any image will do that has what the agent needs.
ARG NODE_IMAGE=node:24-bookworm-slim
FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="agent-egress-firewall sandbox" \
  org.opencontainers.image.licenses="MIT"
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates curl git python3 python3-boto3 python3-requests \
  && rm -rf /var/lib/apt/lists/*
USER 1000:1000
