# The multi-agent container: the relay, the keeper of its children, the mock server, and agent-relayctl to look at it with.
#
#   docker build -f docker/relay.Dockerfile --target relay -t agent-relay .
#   docker build -f docker/relay.Dockerfile --target relay-node -t agent-relay-node .       with Node.js, for npm's servers
#       --build-arg NODE=node:24-bookworm-slim                                              another Node.js
#
# The build stage is the same text here and in backend.Dockerfile, so that the builder runs it once for both.
ARG BASE=debian:bookworm-slim
# Where Node.js and npm come from: 22, since many of npm's servers ask for more than the 18 of the distribution.
ARG NODE=node:22-bookworm-slim

# build:begin
FROM ${BASE} AS build
WORKDIR /src
COPY scripts/deps scripts/
RUN scripts/deps build
COPY . .
RUN make -j"$(nproc)" CFLAGS=-O2 build/bin/agent-relay build/bin/agent-relay-keeper build/bin/agent-mock \
        build/bin/agent-relayctl build/bin/agent-backend \
    && cd build/bin \
    && install -D -s -m 0755 -t /out/relay/bin agent-relay agent-relay-keeper agent-mock agent-relayctl \
    && install -D -s -m 0755 -t /out/backend/bin agent-backend \
    && install -D -m 0644 -t /out/relay/share/doc/agent-relay /src/LICENSE \
    && install -D -m 0644 -t /out/backend/share/doc/agent-relay /src/LICENSE \
    && install -D -m 0644 -t /out/etc /src/docker/relay.json
# build:end

# All but what is built, so that a change to a source installs no package again.
FROM ${BASE} AS runtime
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libuv1 tini >/dev/null \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig/* \
              /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
    && groupadd --gid 10001 relay \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home --skel /dev/null --shell /usr/sbin/nologin relay
LABEL org.opencontainers.image.title="agent-relay" \
      org.opencontainers.image.description="MCP servers, shared safely by any number of clients" \
      org.opencontainers.image.licenses="MIT"
# For agent-relayctl, run in this container.
ENV AGENT_CONTROL_URL=127.0.0.1:9500
USER 10001:10001
WORKDIR /home/relay
EXPOSE 9500
# Does the relay answer, and does its server? Not merely: is the port open?
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["agent-relayctl", "--timeout", "4000", "status"]
# The relay reaps and ends what its children leave behind; tini is there for the rest. As process 1 the relay would also be
# handed what `docker exec` leaves behind, and would take that for escaped children and kill it. tini reaps it instead, hands
# signals on to the relay alone, and ends as the relay did.
ENTRYPOINT ["tini", "--", "agent-relay"]
CMD ["serve", "--config", "/etc/agent-relay/relay.json"]

FROM runtime AS relay
COPY --from=build /out/relay/ /usr/local/
COPY --from=build /out/etc/ /etc/agent-relay/

FROM ${NODE} AS node

# npm keeps its cache, and what npx downloads, under the home folder: give it a tmpfs there when the root is read-only.
FROM runtime AS runtime-node
LABEL org.opencontainers.image.title="agent-relay-node"
USER root
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates libstdc++6 >/dev/null \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig/* \
              /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=node /usr/local/lib/node_modules/ /usr/local/lib/node_modules/
RUN for tool in npm npx; do ln -s ../lib/node_modules/npm/bin/$tool-cli.js /usr/local/bin/$tool; done \
    && node --version && npm --version
USER 10001:10001

FROM runtime-node AS relay-node
COPY --from=build /out/relay/ /usr/local/
COPY --from=build /out/etc/ /etc/agent-relay/
