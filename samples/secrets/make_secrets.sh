#!/bin/sh
# Makes ./secrets with one random value in each file; what is there already stays.
set -eu

mkdir -p -m 0700 secrets
for name in mattermost_secret_key mattermost_link_salt mattermost_reset_salt \
  mattermost_invite_salt db_pass; do
  [ -s "secrets/${name}" ] && continue
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"secrets/${name}"
  # The containers' users must be able to read it; the directory keeps everybody else out.
  chmod 0444 "secrets/${name}"
done
