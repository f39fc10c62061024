# Mattermost with an entrypoint that configures it with environment variables.
#
#   docker build -t jasl8r/mattermost .
#   docker build --build-arg MATTERMOST_VERSION=10.11.20 --build-arg MATTERMOST_EDITION=enterprise .
#
# To use prebuilt files instead of downloading or compiling, put them into docker/prebuilt/ (see
# the README there):
#
#   --build-arg ENTRYPOINT_BINARY=docker/prebuilt/mattermost-entrypoint
#   --build-arg MATTERMOST_TARBALL=docker/prebuilt/mattermost-team-11.7.9-linux-amd64.tar.gz
#
# It works with BuildKit, with the classic builder and with Podman, so it uses only what all of
# them support. Podman needs --format docker for the health check.

ARG MATTERMOST_VERSION=11.7.9
ARG MATTERMOST_EDITION=team
ARG ENTRYPOINT_BINARY=
# The classic builder runs all stages: with a prebuilt binary, the stage does not need Deno.
ARG COMPILE_IMAGE=${ENTRYPOINT_BINARY:+docker.io/library/debian:bookworm-slim}

# ---- the entrypoint: one binary, compiled or prebuilt -----------------------------------
FROM ${COMPILE_IMAGE:-docker.io/denoland/deno:2.9.6} AS entrypoint
ARG ENTRYPOINT_BINARY
# The commit for app:version, because the build context has no repository.
ARG ENTRYPOINT_COMMIT=
# "vendor" forbids the fallback runtime (tools/denort.ts).
ARG ENTRYPOINT_RUNTIME=
WORKDIR /src
COPY deno.json deno.lock main.ts ./
COPY lib lib
COPY tools tools
# A file that exists anyway, if nothing is prebuilt.
COPY ${ENTRYPOINT_BINARY:-main.ts} prebuilt
# Not with `deno task`, which would first download all packages in deno.lock, including those of
# the tests (https://github.com/denoland/deno/issues/28999).
RUN if [ -n "${ENTRYPOINT_BINARY}" ]; then \
      install -D -m 0755 prebuilt dist/mattermost-entrypoint; \
    else \
      deno run -A tools/compile.ts; \
    fi

# ---- the program alone: docker build --target program --output dist . ----------------------
FROM scratch AS program
COPY --from=entrypoint /src/dist/ /

# ---- the server: downloaded or prebuilt, and verified -------------------------------------
FROM docker.io/library/debian:bookworm-slim AS mattermost
# Global arguments must be named again in each stage that uses them.
ARG MATTERMOST_VERSION
ARG MATTERMOST_EDITION
ARG MATTERMOST_TARBALL=
ARG MATTERMOST_SHA256=
ARG MATTERMOST_KEY_FINGERPRINT=
ARG MATTERMOST_UNVERIFIED=
# The name that Compose gives to the image, which must not be that of another release.
ARG MATTERMOST_IMAGE=
# BuildKit sets it; the classic builder builds for its own machine.
ARG TARGETARCH
WORKDIR /src
# Only these files, so that a new binary in docker/prebuilt does not download the server again.
# The last pattern also copies the signature, which has the name of the tarball and .sig. The
# README is a file that is always there.
COPY docker/fetch_mattermost.sh docker/mattermost-* docker/
COPY docker/prebuilt/README.md ${MATTERMOST_TARBALL:-docker/prebuilt/README.md}* docker/prebuilt/
RUN sh docker/fetch_mattermost.sh /out

# ---- the image ---------------------------------------------------------------------------
FROM docker.io/library/debian:bookworm-slim

# The server needs CA certificates, time zones, media types, and the programs that extract
# the text of documents for search (pdftotext, wvText, unrtf, tidy).
# With mode 1777 any --user can use a new volume; the directories belong to 2000:2000.
# Their versions are those of Debian's stable release, with its security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates media-types poppler-utils tidy tzdata unrtf wv \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 2000 mattermost \
    && useradd --uid 2000 --gid 2000 --no-create-home --home-dir /opt/mattermost \
      --shell /usr/sbin/nologin mattermost \
    && home=/opt/mattermost/mattermost \
    && install -d /etc/mattermost/ca.d "${home}" \
    && install -d -o 2000 -g 2000 "${home}/client" \
    && install -d -o 2000 -g 2000 -m 1777 /opt/mattermost/data /var/log/mattermost \
      "${home}/logs" "${home}/plugins" "${home}/client/plugins"

COPY --from=mattermost /out/server/ /opt/mattermost/mattermost/
# The server rewrites its web client's files when the site has a sub-path.
COPY --from=mattermost --chown=2000:2000 /out/client/ /opt/mattermost/mattermost/client/
COPY --from=entrypoint /src/dist/mattermost-entrypoint /usr/local/bin/

# Here, because a changed argument invalidates the cache of all later steps.
ARG MATTERMOST_VERSION
ARG MATTERMOST_EDITION
ARG ENTRYPOINT_COMMIT=
# The tag of a release of this project, such as 11.7.9-1.
ARG IMAGE_VERSION=
LABEL org.opencontainers.image.title="Mattermost" \
      org.opencontainers.image.description="Mattermost, configured from the environment" \
      org.opencontainers.image.source="https://github.com/jasl8r/docker-mattermost" \
      org.opencontainers.image.revision="${ENTRYPOINT_COMMIT:-unknown}" \
      org.opencontainers.image.version="${IMAGE_VERSION:-${MATTERMOST_VERSION}}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"

ENV LANG=C.UTF-8 \
    PATH=/opt/mattermost/mattermost/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    MATTERMOST_VERSION=${MATTERMOST_VERSION} \
    MATTERMOST_EDITION=${MATTERMOST_EDITION}

# Any other user works too (--user 1234:1234). With --user root the entrypoint gives the volumes
# to 2000:2000 and becomes that user: for volumes of older images.
USER 2000:2000
WORKDIR /opt/mattermost/mattermost
VOLUME ["/opt/mattermost/data", "/var/log/mattermost"]
EXPOSE 80
# The entrypoint becomes the server, which closes its connections and exits at SIGTERM.
STOPSIGNAL SIGTERM
# A migration can take hours, and a container that waits for one must not be killed. The first
# success ends this period; before it, a server that does not answer is "starting".
HEALTHCHECK --interval=10s --timeout=5s --start-period=12h --retries=3 \
  CMD ["/usr/local/bin/mattermost-entrypoint", "app:health"]
ENTRYPOINT ["/usr/local/bin/mattermost-entrypoint"]
CMD ["app:start"]
