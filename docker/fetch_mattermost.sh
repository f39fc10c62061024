#!/bin/sh
# Unpacks a Mattermost release to OUT/server, and its web client to OUT/client, because it
# belongs to another user in the image. It runs only in the image's build.
#
#   fetch_mattermost.sh OUT
#
# Variables: MATTERMOST_VERSION, MATTERMOST_EDITION (team or enterprise), MATTERMOST_TARBALL (a
# file to use instead of the download), MATTERMOST_SHA256 (its sum, if
# mattermost-releases.sha256 does not have it), TARGETARCH (amd64 or arm64).
set -eu

out=$1
sums=$(dirname "$0")/mattermost-releases.sha256
architecture=${TARGETARCH:-$(dpkg --print-architecture)}

fail() {
  echo "fetch_mattermost: $*" >&2
  exit 1
}

case ${MATTERMOST_EDITION} in
  team) name=mattermost-team-${MATTERMOST_VERSION}-linux-${architecture}.tar.gz ;;
  enterprise) name=mattermost-${MATTERMOST_VERSION}-linux-${architecture}.tar.gz ;;
  *) fail "MATTERMOST_EDITION must be team or enterprise: it is ${MATTERMOST_EDITION}" ;;
esac

if [ -n "${MATTERMOST_TARBALL:-}" ]; then
  tarball=${MATTERMOST_TARBALL}
  name=$(basename "${tarball}")
  [ -f "${tarball}" ] || fail "MATTERMOST_TARBALL is ${tarball}, which is not in the build context"
else
  tarball=/tmp/${name}
  apt-get update
  apt-get install -y --no-install-recommends ca-certificates curl
  curl --fail --location --proto '=https' --retry 3 --show-error --silent \
    --output "${tarball}" "https://releases.mattermost.com/${MATTERMOST_VERSION}/${name}"
fi

actual=$(sha256sum "${tarball}" | cut -d ' ' -f 1)
expected=${MATTERMOST_SHA256:-$(awk -v name="${name}" '$2 == name { print $1 }' "${sums}")}
if [ -z "${expected}" ]; then
  echo "***************************************************************************" >&2
  echo "** NOT VERIFIED: docker/mattermost-releases.sha256 has no sum for ${name}" >&2
  echo "** Compare this sum with the one that Mattermost publishes, and build again with:" >&2
  echo "**   --build-arg MATTERMOST_SHA256=${actual}" >&2
  echo "***************************************************************************" >&2
elif [ "${actual}" != "${expected}" ]; then
  fail "the SHA-256 sum of ${name} must be ${expected}: it is ${actual}"
fi

mkdir -p "${out}/server" "${out}/client"
tar -xzf "${tarball}" -C "${out}/server" --strip-components=1 --no-same-owner
[ -x "${out}/server/bin/mattermost" ] || [ -x "${out}/server/bin/platform" ] ||
  fail "${name} must have bin/mattermost in its top directory"
# The names of the migrations that the server contains, and the size of the program that they are
# from: the entrypoint compares them with those of the database.
program=${out}/server/bin/mattermost
if [ -f "${program}" ]; then
  {
    stat --format %s "${program}"
    LC_ALL=C grep -aoE '(postgres|mysql)/[0-9]{6}_[A-Za-z0-9_.-]+\.up\.sql' "${program}" |
      sort -u
  } >"${out}/server/migrations.txt"
fi
# The image has its own directories, which the server can write to.
rm -rf "${out}/server/logs" "${out}/server/plugins" "${out}/server/client/plugins"
# Releases before 5.0 have webapp/ instead, and do not write to it.
if [ -d "${out}/server/client" ]; then
  rmdir "${out}/client"
  mv "${out}/server/client" "${out}/client"
fi
