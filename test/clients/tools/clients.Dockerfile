# What sandboxes run in by default, with clients that Debian has.
ARG BASE=agent-egress-sandbox:local
FROM ${BASE}
USER root
RUN apt-get update && apt-get install -y --no-install-recommends wget git-lfs gh kubernetes-client ansible-core pre-commit \
    python3-pip python3-httpx python3-aiohttp python3-urllib3 python3-requests libwww-perl composer php-cli ruby bundler \
    golang-go gcc libc6-dev default-jdk-headless maven chromium libnss3-tools firefox-esr \
  && rm -rf /var/lib/apt/lists/*
USER 1000:1000
