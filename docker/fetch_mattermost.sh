#!/bin/sh
# Verifies a Mattermost release and unpacks it to OUT/server, and its web client to OUT/client,
# because it belongs to another user in the image. It runs only in the image's build.
#
#   fetch_mattermost.sh OUT
#
# Variables, all of them arguments of the build:
#
#   MATTERMOST_VERSION          the release
#   MATTERMOST_EDITION          team or enterprise
#   MATTERMOST_TARBALL          a file to use instead of the download; the Dockerfile copies it,
#                               and its signature FILE.sig, to docker/prebuilt/
#   MATTERMOST_SHA256           the sum of the tarball; it replaces mattermost-releases.sha256
#   MATTERMOST_KEY_FINGERPRINT  the key whose signature counts if the sum is not known
#   MATTERMOST_UNVERIFIED       true: build although nothing is known about the tarball
#   MATTERMOST_IMAGE            the name of the image, if Compose builds it
#   TARGETARCH                  amd64 or arm64
#
# mattermost-signing-key.asc, if it exists beside this file, holds the keys whose signatures count.
set -eu

out=$1
here=$(dirname "$0")
sums=$here/mattermost-releases.sha256
site=https://releases.mattermost.com
keyserver=https://keyserver.ubuntu.com
architecture=${TARGETARCH:-$(dpkg --print-architecture)}
version=${MATTERMOST_VERSION}
work=$(mktemp -d)
trap 'rm -rf "${work}"' EXIT

fail() {
  echo "fetch_mattermost: $*" >&2
  exit 1
}

# ---- the arguments ------------------------------------------------------------------------

echo "${version}" | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+(-rc[0-9]+)?' ||
  fail "MATTERMOST_VERSION must be a release of Mattermost, three numbers with dots: it is ${version}"
# Compose builds an image that it cannot pull, and gives it the name of the other.
tag=${MATTERMOST_IMAGE:-}
tag=${tag##*:}
case ${tag} in
  '' | *[!0-9.-]*) ;;
  *)
    case ${version} in
      "${tag%-*}" | "${tag}".*) ;;
      *)
        fail "MATTERMOST_IMAGE is ${MATTERMOST_IMAGE}, which could not be pulled, and this build" \
          "contains Mattermost ${version}. To build another release, set MATTERMOST_VERSION instead"
        ;;
    esac
    ;;
esac
# The tarball of the Enterprise Edition has two names, by release and architecture.
case ${MATTERMOST_EDITION} in
  team) names=mattermost-team-${version}-linux-${architecture}.tar.gz ;;
  enterprise)
    names="mattermost-${version}-linux-${architecture}.tar.gz"
    names="${names} mattermost-enterprise-${version}-linux-${architecture}.tar.gz"
    ;;
  *) fail "MATTERMOST_EDITION must be team or enterprise: it is ${MATTERMOST_EDITION}" ;;
esac
case ${MATTERMOST_UNVERIFIED:-} in
  true | false | '') ;;
  *) fail "MATTERMOST_UNVERIFIED must be true or false: it is ${MATTERMOST_UNVERIFIED}" ;;
esac
fingerprint=$(printf %s "${MATTERMOST_KEY_FINGERPRINT:-}" | tr -d ' ' | tr a-f A-F)
[ -z "${fingerprint}" ] || echo "${fingerprint}" | grep -Eqx '[0-9A-F]{40}' ||
  fail "MATTERMOST_KEY_FINGERPRINT must have 40 hexadecimal digits: it is ${MATTERMOST_KEY_FINGERPRINT}"

known=
listed=
for name in ${names}; do
  sum=$(awk -v name="${name}" '$2 == name { print $1 }' "${sums}")
  [ -z "${sum}" ] || known="${known} ${sum}" listed="${listed} ${name}"
done
expected=${MATTERMOST_SHA256:-${known# }}
without_network="To build without a network, put the tarball into docker/prebuilt/ and use \
--build-arg MATTERMOST_TARBALL=docker/prebuilt/${names%% *}"

# ---- the tarball --------------------------------------------------------------------------

# Downloads an URL to a file. The exit code is curl's: 22 if the site does not have it.
download() {
  if ! command -v curl >/dev/null; then
    {
      apt-get update -qq &&
        apt-get install -qq --no-install-recommends ca-certificates curl
    } >"${work}/apt" 2>&1 || {
      tail -n 5 "${work}/apt" >&2
      fail "curl, which downloads Mattermost, cannot be installed. ${without_network}"
    }
  fi
  curl --fail --location --proto '=https' --retry 3 --show-error --silent --output "$2" "$1"
}

if [ -n "${MATTERMOST_TARBALL:-}" ]; then
  name=$(basename "${MATTERMOST_TARBALL}")
  tarball=${here}/prebuilt/${name}
  signature=${tarball}.sig
  [ -f "${tarball}" ] ||
    fail "MATTERMOST_TARBALL is ${MATTERMOST_TARBALL}, which is not in the build context"
else
  tarball=${work}/tarball
  signature=${work}/signature
  for name in ${listed:-${names}}; do
    code=0
    download "${site}/${version}/${name}" "${tarball}" || code=$?
    [ "${code}" -eq 22 ] || break
  done
  case ${code} in
    0) ;;
    22) fail "${site} has no Mattermost ${version} (${MATTERMOST_EDITION}) for ${architecture}" ;;
    *) fail "Mattermost cannot be downloaded: curl ended with code ${code}. ${without_network}" ;;
  esac
fi

# ---- its verification ---------------------------------------------------------------------

# Writes the keys whose signatures count to a file, in the binary form that gpgv reads.
write_keys() {
  keys=${here}/mattermost-signing-key.asc
  if [ ! -f "${keys}" ]; then
    keys=${work}/keys.asc
    download "${keyserver}/pks/lookup?op=get&options=mr&search=0x${fingerprint}" "${keys}" ||
      fail "${keyserver} does not give the key ${fingerprint}. Put it into docker/mattermost-signing-key.asc"
  fi
  awk '/^-----END/ { inside = 0 }
    inside && /^$/ { body = 1 }
    inside && body && !/^=/ { print }
    /^-----BEGIN PGP PUBLIC KEY/ { inside = 1; body = 0 }' "${keys}" | base64 -d >"$1"
}

# Ends the build unless one of these keys has made the signature.
check_signature() {
  if [ ! -f "${signature}" ]; then
    if [ -n "${MATTERMOST_TARBALL:-}" ]; then
      fail "the signature of ${name} must be beside it, in ${MATTERMOST_TARBALL}.sig"
    fi
    download "${site}/${version}/${name}.sig" "${signature}" ||
      fail "${site} has no signature of ${name}. ${how_to_verify}"
  fi
  write_keys "${work}/keys"
  gpgv --keyring "${work}/keys" --status-fd 1 "${signature}" "${tarball}" \
    >"${work}/status" 2>"${work}/gpgv" || {
    cat "${work}/gpgv" >&2
    fail "the signature of ${name} is wrong, or made by a key that is not trusted"
  }
  # The last field is the primary key; the first may be a key that signs for it.
  signers=$(awk '$2 == "VALIDSIG" { print $3, $NF }' "${work}/status")
  case " ${signers} " in
    '  ') fail "the signature of ${name} cannot be verified" ;;
    *" ${fingerprint:-${signers}} "*) echo "Verified: the signature of ${name} by ${signers}" ;;
    *) fail "the signature of ${name} must be made by the key ${fingerprint}: it is made by ${signers}" ;;
  esac
}

actual=$(sha256sum "${tarball}" | cut -d ' ' -f 1)
how_to_verify="Compare its SHA-256 sum with the one that Mattermost publishes \
(https://docs.mattermost.com/product-overview/version-archive.html), and build with
  --build-arg MATTERMOST_SHA256=${actual}
or name the key that signs Mattermost's releases, by the 40 digits of its fingerprint:
  --build-arg MATTERMOST_KEY_FINGERPRINT=...
or build without any verification:
  --build-arg MATTERMOST_UNVERIFIED=true"

if [ -n "${expected}" ]; then
  case " ${expected} " in
    *" ${actual} "*) echo "Verified: the SHA-256 sum of ${name}" ;;
    *)
      is=$(awk -v sum="${actual}" '$1 == sum { print ", which is that of", $2 }' "${sums}" | head -n 1)
      fail "the SHA-256 sum of ${name} must be ${expected}: it is ${actual}${is}"
      ;;
  esac
elif [ "${MATTERMOST_UNVERIFIED:-}" = true ]; then
  echo "NOT VERIFIED: ${name}, because MATTERMOST_UNVERIFIED is true. Its SHA-256 sum is ${actual}" >&2
elif [ -n "${fingerprint}" ] || [ -f "${here}/mattermost-signing-key.asc" ]; then
  check_signature
else
  fail "${name} cannot be verified: docker/mattermost-releases.sha256 does not have its sum. ${how_to_verify}"
fi

# ---- the files ----------------------------------------------------------------------------

mkdir -p "${out}/server" "${out}/client"
tar -xzf "${tarball}" -C "${out}/server" --strip-components=1 --no-same-owner
[ -x "${out}/server/bin/mattermost" ] || [ -x "${out}/server/bin/platform" ] ||
  fail "${name} must have bin/mattermost in its top directory"
# The names of the migrations that the server contains, the versions of its database drivers, and the
# size of the program that they are from: the entrypoint compares the migrations with those of the
# database, and the drivers decide what a data source means.
program=${out}/server/bin/mattermost
if [ -f "${program}" ]; then
  {
    stat --format %s "${program}"
    LC_ALL=C grep -aoE '(postgres|mysql)/[0-9]{6}_[A-Za-z0-9_.-]+\.up\.sql' "${program}" |
      sort -u
    LC_ALL=C grep -aoE 'github\.com/(lib/pq|go-sql-driver/mysql)[[:blank:]@]v[0-9]+\.[0-9]+\.[0-9]+' "${program}" |
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
