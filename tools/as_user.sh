#!/usr/bin/env bash
# Runs a task as a newcomer does: an ordinary user in a clone of their own, with a home
# and caches of their own, which are empty the first time. Only root can run it.
#
#   deno task as-user DIRECTORY TASK
#
# The user is nobody, since PostgreSQL does not run for one without a name.
# DIRECTORY is made where it does not exist; whoever calls this removes it.
# It fails when the task fails, or leaves something in the directory for temporary files.
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
# npx gives its children the paths of its own user.
unset INIT_CWD npm_config_local_prefix npm_config_cache npm_config_globalconfig \
  npm_config_global_prefix npm_config_init_module npm_config_node_gyp npm_config_prefix \
  npm_config_userconfig
PATH=$(tr : '\n' <<<"$PATH" | grep -v /node_modules | paste -sd :)
setpriv --reuid=nobody --regid=nogroup --clear-groups \
  env HOME="$home" TMPDIR="$home/tmp" npx --yes deno@2.9.6 task "$task"

left=$(ls -A "$home/tmp")
if [ -n "$left" ]; then
  printf 'The task %s left files in %s:\n%s\n' "$task" "$home/tmp" "$left" >&2
  exit 1
fi
