#!/bin/sh
# Creates the Docker secrets of the stack. Existing secrets are not changed.
set -eu

for name in secret_key link_salt reset_salt invite_salt db_pass; do
  docker secret inspect "mattermost_${name}" >/dev/null 2>&1 && continue
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' |
    docker secret create "mattermost_${name}" - >/dev/null
done
