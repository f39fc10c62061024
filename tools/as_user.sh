#!/usr/bin/env bash
# Runs a task as an ordinary user in a new clone, with a home directory and caches that are
# empty the first time. Only root can run it.
#
#   deno task as-user DIRECTORY TASK
#
# The user is nobody: PostgreSQL needs a user that /etc/passwd names. DIRECTORY is created
# if it does not exist; the caller removes it. The script fails if the task fails or leaves
# temporary files.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=$1
task=$2

if [ ! -d "$home" ]; then
  mkdir "$home"
  git clone --quiet "$root" "$home/clone"
  mkdir "$home/tmp"
  chown -R nobody:nogroup "$home"
fi
cd "$home/clone"
unset DENO_DIR ENTRYPOINT_CACHE_DIR XDG_CACHE_HOME
# npx sets these to the paths of the calling user.
unset INIT_CWD npm_config_local_prefix npm_config_cache npm_config_globalconfig \
  npm_config_global_prefix npm_config_init_module npm_config_node_gyp npm_config_prefix \
  npm_config_userconfig
PATH=$(tr : '\n' <<<"$PATH" | grep -v /node_modules | paste -sd :)
setpriv --reuid=nobody --regid=nogroup --clear-groups \
  env HOME="$home" TMPDIR="$home/tmp" npx --yes deno@2.9.6 task "$task"

left=$(ls -A "$home/tmp")
if [ -n "$left" ]; then
  printf 'The task %s must not leave temporary files in %s:\n%s\n' "$task" "$home/tmp" "$left" >&2
  exit 1
fi
