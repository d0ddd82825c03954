# The backend: a service that always has agents to show, live, stale or mock, and says which.
#
#   docker build -f docker/backend.Dockerfile -t agent-backend .
#
# The build stage is the same text here and in relay.Dockerfile, so that the builder runs it once for both.
ARG BASE=debian:bookworm-slim

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

FROM ${BASE} AS backend
LABEL org.opencontainers.image.title="agent-backend" \
      org.opencontainers.image.description="Agents over HTTP: live, stale or mock, and marked so" \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libcurl4 libmicrohttpd12 libuv1 tini >/dev/null \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig/* \
              /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
    && groupadd --gid 10001 backend \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin backend
# In a container, all addresses are the container's own; what is published is said where it is run.
ENV AGENT_BACKEND_LISTEN=0.0.0.0:8080
USER 10001:10001
WORKDIR /
EXPOSE 8080
# It asks GET /api/v1/bots/health, which is 200 while the service can serve anything, mock agents included.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["agent-backend", "health"]
# The backend starts no process; tini reaps what `docker exec` leaves behind and hands signals on.
ENTRYPOINT ["tini", "--", "agent-backend"]
COPY --from=build /out/backend/ /usr/local/
