#!/bin/sh
# Creates ./secrets with a random value in each file. Existing files are not changed.
set -eu

mkdir -p -m 0700 secrets
for name in mattermost_secret_key mattermost_link_salt mattermost_reset_salt \
  mattermost_invite_salt db_pass; do
  [ -s "secrets/${name}" ] && continue
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"secrets/${name}"
  # The users of the containers must be able to read it; others cannot enter the directory.
  chmod 0444 "secrets/${name}"
done
