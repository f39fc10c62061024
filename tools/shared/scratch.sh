# Makes a temporary directory, prints its path, and waits for the end of its
# input. Then it kills the processes whose ids it has read there, one a line,
# with all their descendants, and removes the directory.
#
#     sh scratch.sh PREFIX
#
# Only the program that started it holds the other end of the pipe that is its
# input. So the input ends when the program closes it, and also when the program
# ends, in whatever way: the kernel closes the pipe even after SIGKILL.

set -u
# A closed terminal or a reader that is gone must not keep it from its work.
trap '' HUP INT TERM PIPE
exec 2>&1

# Prints when a process started, in clock ticks since boot; nothing if it has
# ended, even if its parent has not waited for it yet.
started() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The program's name, in parentheses, may hold any characters.
  set -- ${stat##*) }
  case $1 in Z | X) ;; *) echo "${20}" ;; esac
}

# Stops a process and its descendants and prints their ids. The parent is first,
# so that it starts no more of them.
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
  # Another process may have got the id since.
  [ -n "$start" ] && [ "$(started "$process")" = "$start" ] || continue
  tree=$(freeze "$process")
  kill -KILL $tree 2>/dev/null
  killed="$killed $tree"
done

# A command that the program left behind may still be writing into the directory.
# Nothing is removed from another file system that somebody mounted there.
tries=100
error="processes still run:$killed"
while is_any_running $killed || ! error=$(rm -rf --one-file-system -- "$directory" 2>&1); do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "$error"; exit 1; }
  sleep 0.1
done
