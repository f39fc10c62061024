#!/bin/sh
# Creates a key and a self-signed certificate for nginx in DIRECTORY, by default ./certificates.
# Existing files are not changed.
#
#   make_certificates.sh [DIRECTORY [NAME]]
#
# NAME is the host name or the IP address in the address that people type, by default localhost.
# Browsers warn about a self-signed certificate: get a real one unless this is a test.
set -eu

directory=${1:-certificates}
name=${2:-localhost}
# An IPv6 address has brackets in an URL and none in a certificate.
name=${name#\[}
name=${name%\]}
# Browsers accept an IP address only as an entry of its own type (RFC 9525, section 6.5).
case ${name} in
  *:*) type=IP ;;
  *[!0-9.]*) type=DNS ;;
  *) type=IP ;;
esac
mkdir -p "${directory}"
cd "${directory}"

if [ ! -e mattermost.key ]; then
  (umask 077 && openssl genrsa -out mattermost.key 2048)
fi
if [ ! -e mattermost.crt ]; then
  # Only the entry counts; a common name may have no more than 64 characters.
  openssl req -new -key mattermost.key -out mattermost.csr -subj /CN=Mattermost
  printf 'subjectAltName=%s:%s\nbasicConstraints=CA:FALSE\n' "${type}" "${name}" >extensions
  openssl x509 -req -days 3650 -in mattermost.csr -signkey mattermost.key \
    -extfile extensions -out mattermost.crt
  rm mattermost.csr extensions
fi
