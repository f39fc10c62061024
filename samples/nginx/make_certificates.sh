#!/bin/sh
# Creates the key, the self-signed certificate and the parameters for nginx in DIRECTORY.
# Existing files are not changed.
#
#   make_certificates.sh DIRECTORY [NAME]
#
# NAME is the host name in the address, by default localhost. Browsers warn about a self-signed
# certificate: get a real one unless this is a test.
set -eu

directory=${1:?usage: make_certificates.sh DIRECTORY [NAME]}
name=${2:-localhost}
mkdir -p "${directory}"
cd "${directory}"

if [ ! -e mattermost.key ]; then
  openssl genrsa -out mattermost.key 2048
  chmod 400 mattermost.key
fi
if [ ! -e mattermost.crt ]; then
  openssl req -new -key mattermost.key -out mattermost.csr -subj "/CN=${name}"
  printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n' "${name}" >extensions
  openssl x509 -req -days 3650 -in mattermost.csr -signkey mattermost.key \
    -extfile extensions -out mattermost.crt
  rm mattermost.csr extensions
fi
if [ ! -e dhparam.pem ]; then
  echo "Generating the Diffie-Hellman parameters takes one or two minutes" >&2
  openssl dhparam -out dhparam.pem 2048
fi
