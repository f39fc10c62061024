# Creates a temporary directory, prints its path, and reads process ids from its input, one
# per line. When the input ends, it kills these processes and all their descendants, and
# removes the directory.
#
#     sh scratch.sh PREFIX
#
# Its input is a pipe whose other end only the calling program has open. So the input ends
# when the program closes it, and also when the program ends in any way: the kernel closes
# the pipe even after SIGKILL.

set -u
# A closed terminal or pipe must not stop it before it has cleaned up.
trap '' HUP INT TERM PIPE
exec 2>&1

# Prints the start time of a process in clock ticks since boot; nothing if it has ended or
# is a zombie.
started() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The program's name, in parentheses, may contain any characters.
  set -- ${stat##*) }
  case $1 in Z | X) ;; *) echo "${20}" ;; esac
}

# Stops a process and its descendants, and prints their ids. The parent is stopped first, so
# that it starts no more.
freeze() {
  kill -STOP "$1" 2>/dev/null
  echo "$1"
  for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
    freeze "$child"
  done
}

is_any_running() {
  for process in "$@"; do
    [ -z "$(started "$process")" ] || return 0
  done
  return 1
}

directory=$(mktemp -d "$1XXXXXXXXXX") || { echo "$directory"; exit 1; }
echo "$directory"

known=
while read -r process; do
  known="$known $process:$(started "$process")"
done

killed=
for each in $known; do
  process=${each%:*}
  start=${each#*:}
  # Another process may have the id now.
  [ -n "$start" ] && [ "$(started "$process")" = "$start" ] || continue
  tree=$(freeze "$process")
  kill -KILL $tree 2>/dev/null
  killed="$killed $tree"
done

# Another command of the program may still be writing into the directory. Files on a file
# system that is mounted there are not removed.
tries=100
error="processes are still running:$killed"
while is_any_running $killed || ! error=$(rm -rf --one-file-system -- "$directory" 2>&1); do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "$error"; exit 1; }
  sleep 0.1
done
