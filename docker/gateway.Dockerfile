# The gateway, in both its roles. No `# syntax=` line: it would have to be fetched.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev \
  && find dist node_modules -name '*.map' -delete \
  && chmod 755 dist/src/main.js dist/src/control/admin-client.js dist/src/kubernetes/pod-init.js

FROM ${NODE_IMAGE} AS gateway
ARG UID=1000
ARG GID=1000
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="agent-egress-firewall" \
  org.opencontainers.image.description="The one gateway through which a sandboxed AI agent reaches the outside" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.licenses="MIT"
# Volumes get these modes when they are made. Open like /tmp, so that the gateway can be any user without a build (EGRESS_UID);
# what must stay secret is in files of mode 600, and the container has one user.
RUN cd /var/lib && mkdir -p egress/shared egress/authority egress/certificates egress/audit-key egress/audit-key-dns /var/log/egress /run/egress \
  && chmod 1777 egress/* /var/log/egress /run/egress \
  && ln -s /app/dist/src/main.js /usr/local/bin/egress \
  && ln -s /app/dist/src/control/admin-client.js /usr/local/bin/egress-admin \
  && ln -s /app/dist/src/kubernetes/pod-init.js /usr/local/bin/egress-pod-init
WORKDIR /app
COPY package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/firewall dist/firewall
COPY --from=build /app/dist/config dist/config
COPY --from=build /app/dist/dns dist/dns
COPY --from=build /app/dist/proxy dist/proxy
COPY --from=build /app/dist/src dist/src
COPY --from=build /app/dist/bundle dist/bundle
ENV NODE_ENV=production EGRESS_POLICY=/etc/egress/egress.yaml EGRESS_AUDIT_DIR=/var/log/egress MALLOC_ARENA_MAX=1
# What Node has compiled once it need not compile at every start.
RUN NODE_COMPILE_CACHE=/app/.compiled node -e "Promise.all(['cli/serve.js', 'gateway/gateway.js'].map((file) => import('/app/dist/src/' + file)))" \
  && chmod -R a+rX /app/.compiled
ENV NODE_COMPILE_CACHE=/app/.compiled
USER ${UID}:${GID}
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=2 CMD ["egress-admin", "health"]
ENTRYPOINT ["egress"]
CMD ["serve"]

# The gateway with the outside world of the demonstration in it.
FROM gateway AS demo
USER 0
COPY --from=build /app/dist/test dist/test
RUN mkdir -m 1777 /demo
ARG UID=1000
ARG GID=1000
USER ${UID}:${GID}
HEALTHCHECK NONE

FROM gateway
