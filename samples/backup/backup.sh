#!/bin/sh
# Backs up a Mattermost that runs with Docker Compose and PostgreSQL, and restores it, also to a
# newer PostgreSQL. Run it in the directory of the Compose file:
#
#   backup.sh create          make a backup, and remove the oldest ones
#   backup.sh check BACKUP    tell whether a backup is complete and unchanged; needs no Docker
#   backup.sh restore BACKUP  restore a backup into an installation that holds nothing yet
#
# Variables:
#
#   BACKUP_DIR   where the backups are, with a directory for each project; ./backups by default
#   BACKUP_KEEP  how many backups of a project are kept; 7 by default
set -eu
# Backups hold secrets.
umask 077
export LC_ALL=C

# ---- messages and cleaning up -------------------------------------------------------------

# Ends the script with a message; the other arguments are lines to paste.
fail() {
  echo "backup: $1" >&2
  shift
  [ "$#" -eq 0 ] || printf '  → %s\n' "$@" >&2
  exit 1
}

usage() {
  sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"
}

clean_up() {
  code=$?
  rm -rf "${draft}" "${log}"
  [ -z "${restoring}" ] || fail \
    "${restoring} was not restored completely, and the server finds no database: remove the new volumes, and restore it again" \
    'docker compose down --volumes'
  exit "${code}"
}

# ---- the containers -----------------------------------------------------------------------

is_running() {
  docker compose ps --status running --services </dev/null | grep -qx "$1"
}

# Runs a program in the container of the server if it is running, else in a new one.
server() {
  if [ -n "${is_up}" ]; then
    docker compose exec -T mattermost "$@"
    return
  fi
  program=$1
  shift
  # Compose reports there what it does.
  docker compose run --rm --no-deps -T --entrypoint "${program}" mattermost "$@" 2>"${log}" || {
    code=$?
    cat "${log}" >&2
    return "${code}"
  }
}

# Finds the directories of the server, where ${config} is empty if it is inside of ${data}, the
# release of the image, and the number of its last migration, which is empty before 6.4.
find_server() {
  # shellcheck disable=SC2016 # The shell in the container expands them.
  found=$(server sh -c '
    echo "${MATTERMOST_DATA_DIR:-/opt/mattermost/data}"
    echo "${MATTERMOST_CONF_DIR:-}"
    echo "${MATTERMOST_VERSION}"
    sed -n "s,^postgres/0*\([0-9]*\)_.*,\1,p" \
      "${MATTERMOST_INSTALL_DIR:-/opt/mattermost/mattermost}/migrations.txt" 2>/dev/null |
      sort -n | tail -n 1' </dev/null)
  data=$(echo "${found}" | sed -n 1p)
  config=$(echo "${found}" | sed -n 2p)
  image=$(echo "${found}" | sed -n 3p)
  last=$(echo "${found}" | sed -n 4p)
  case ${config} in "${data}" | "${data}"/*) config= ;; esac
}

# Runs a program in the container of the database.
database() {
  docker compose exec -T postgres "$@"
}

# Prints the result of a statement ($2) in a database ($1).
sql() {
  echo "$2" | database psql --username="${user}" --dbname="$1" --no-psqlrc --quiet --tuples-only \
    --no-align --set=ON_ERROR_STOP=1 --set=name="${name}" --set=unfinished="${unfinished}" --file=-
}

# Finds the names in the database, and the version of PostgreSQL.
find_database() {
  # shellcheck disable=SC2016
  found=$(database sh -c 'echo "${POSTGRES_USER:-postgres}:${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"' </dev/null)
  user=${found%%:*}
  name=${found#*:}
  unfinished=${name}_unfinished_restore
  postgresql=$(sql template1 'SHOW server_version')
  postgresql=${postgresql%% *}
}

# ---- the files of a backup ----------------------------------------------------------------

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# Prints the values of a key ($2) in the manifest of a backup.
stated() {
  sed -n "s/^$2 //p" "$1/manifest"
}

# Ends the script unless a directory is a backup that is complete and unchanged.
require_complete() {
  [ -f "$1/manifest" ] || fail "$1 is not a complete backup: it has no manifest, which is written last"
  [ "$(sed '$d' "$1/manifest" | sha256)" = "$(sed -n '$s/^end //p' "$1/manifest")" ] ||
    fail "$1 is damaged: manifest was changed or truncated"
  [ "$(stated "$1" format)" = 1 ] || fail "$1 has a format that a later backup.sh has written"
  stated "$1" file | while read -r sum size file; do
    [ -f "$1/${file}" ] || fail "$1 is damaged: ${file} is missing"
    is=$(wc -c <"$1/${file}")
    [ "${is}" -eq "${size}" ] ||
      fail "$1 is damaged: ${file} must have ${size} bytes, and has $((is))"
    [ "$(sha256 <"$1/${file}")" = "${sum}" ] || fail "$1 is damaged: the content of ${file} was changed"
  done
}

describe() {
  echo "$1: Mattermost $(stated "$1" mattermost), PostgreSQL $(stated "$1" postgresql), made at $(stated "$1" made)"
}

check() {
  require_complete "$1"
  echo "Complete and unchanged: $(describe "$1")"
}

# ---- create -------------------------------------------------------------------------------

create() {
  keep=${BACKUP_KEEP:-7}
  case ${keep} in 0* | *[!0-9]*) fail "BACKUP_KEEP must be a number from 1 on: it is ${keep}" ;; esac
  docker compose config --services </dev/null | grep -qx postgres ||
    fail 'The Compose file has no service postgres: this makes backups of PostgreSQL only (for MySQL, see samples/mysql/README.md)'
  is_running postgres ||
    fail 'A backup needs the service postgres to run' 'docker compose up --detach --wait postgres'
  if is_running mattermost; then is_up=yes; fi
  home=${BACKUP_DIR:-backups}/$(docker compose config </dev/null | sed -n 's/^name: //p')
  backup=${home}/$(date -u +%Y%m%dT%H%M%SZ)
  mkdir -p "${home}"
  # What was killed more than a day ago.
  find "${home}" -maxdepth 1 -name '*.draft' -mtime +0 -exec rm -rf {} +
  mkdir "${backup}.draft"
  draft=${backup}.draft

  find_database
  tables=$(sql "${name}" 'SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()')
  [ "${tables}" -gt 0 ] || fail "The database ${name} has no tables, so there is nothing to back up"
  # The database comes first: the server writes a file before the row that names it, and keeps the
  # file when the message is deleted, so the archive has every file that the dump names. A file too
  # many does no harm. Roles are not dumped: each installation has a password of its own.
  database pg_dump --username="${user}" --dbname="${name}" --format=custom --no-owner --no-privileges \
    </dev/null >"${draft}/database.dump"
  # Before 6.4 there is no such table.
  migration=$(sql "${name}" "SELECT to_regclass('db_migrations')")
  [ -z "${migration}" ] || migration=$(sql "${name}" 'SELECT max(version) FROM db_migrations')
  find_server
  archive data "${data}"
  [ -z "${config}" ] || archive config "${config}"

  # Both programs read their file to the end, so they find out if it is truncated.
  database pg_restore --file=/dev/null <"${draft}/database.dump"
  mattermost=$(server tar --extract --gzip --to-stdout ./VERSION <"${draft}/data.tar.gz") ||
    fail "data.tar.gz cannot be read, or ${data} has no VERSION, which each start writes"
  [ -z "${config}" ] || server tar --list --gzip <"${draft}/config.tar.gz" >/dev/null
  {
    echo 'format 1'
    echo "made $(date -u +%Y-%m-%dT%H:%M:%SZ)"
    echo "mattermost ${mattermost}"
    echo "migration ${migration}"
    echo "postgresql ${postgresql}"
    for file in "${draft}"/*.*; do
      echo "file $(sha256 <"${file}") $(($(wc -c <"${file}"))) ${file##*/}"
    done
  } >"${draft}/manifest"
  end=$(sha256 <"${draft}/manifest")
  echo "end ${end}" >>"${draft}/manifest"
  require_complete "${draft}"
  mv "${draft}" "${backup}"
  draft=
  echo "Made $(describe "${backup}")"
  remove_oldest "${home}"/????????T??????Z
}

# Archives what is in a directory of the server ($2) as NAME.tar.gz ($1). Others write meanwhile: tar
# ends with 1 if a file has changed or vanished, and the dump names none of those.
archive() {
  # shellcheck disable=SC2016
  server sh -c 'cd "$1" || exit; find . -mindepth 1 -maxdepth 1 ! -name lost+found -print0 |
    tar --create --null --files-from=- --numeric-owner --use-compress-program="gzip -1" \
      --warning=no-file-changed --warning=no-file-removed || [ "$?" -eq 1 ]' \
    sh "$2" </dev/null >"${draft}/$1.tar.gz"
}

# Removes all but the last ${keep} of the backups, which are in the order of their age.
remove_oldest() {
  while [ "$#" -gt "${keep}" ]; do
    mv "$1" "$1.draft"
    rm -rf "$1.draft"
    echo "Removed $1: BACKUP_KEEP is ${keep}"
    shift
  done
}

# ---- restore ------------------------------------------------------------------------------

restore() {
  backup=$1
  require_complete "${backup}"
  ! is_running mattermost || not_empty 'the service mattermost is running'
  find_server
  ! is_too_old || fail \
    "The backup is of Mattermost $(stated "${backup}" mattermost), and the image contains ${image}, which is older" \
    "echo MATTERMOST_VERSION=$(stated "${backup}" mattermost) >>.env"
  docker compose up --detach --wait postgres </dev/null
  find_database
  needed=$(stated "${backup}" postgresql)
  [ "${postgresql%%.*}" -ge "${needed%%.*}" ] ||
    fail "The backup is of PostgreSQL ${needed}, and this installation has ${postgresql}, which is older. Restore into new volumes:" \
      "docker compose down; echo POSTGRES_VERSION=${needed%%.*} >>.env; echo COMPOSE_PROJECT_NAME=mattermost-$(date -u +%Y%m%d%H%M) >>.env"
  require_empty

  # Until the last step the database has another name, so that no server can start with half of it.
  sql template1 'ALTER DATABASE :"name" RENAME TO :"unfinished"'
  restoring=${backup}
  database pg_restore --username="${user}" --dbname="${unfinished}" --exit-on-error --no-owner \
    --no-privileges <"${backup}/database.dump"
  sql "${unfinished}" 'ANALYZE'
  extract data "${data}"
  [ ! -f "${backup}/config.tar.gz" ] || extract config "${config:-${data}/config}"
  sql template1 'ALTER DATABASE :"unfinished" RENAME TO :"name"'
  restoring=
  echo "Restored $(describe "${backup}"). To start it: docker compose up --detach"
}

require_empty() {
  [ "$(sql template1 "SELECT count(*) FROM pg_database WHERE datname = :'name'")" -eq 1 ] ||
    not_empty 'an earlier restore into it was interrupted'
  tables=$(sql "${name}" "SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'")
  [ "${tables}" -eq 0 ] || not_empty "the database ${name} holds tables"
  for directory in "${data}" ${config:+"${config}"}; do
    found=$(server find "${directory}" -mindepth 1 -maxdepth 1 ! -name lost+found -print </dev/null)
    [ -z "${found}" ] || not_empty "${directory} holds files"
  done
}

not_empty() {
  fail "This installation is not empty: $1. Restore into new volumes, beside these ones:" \
    "docker compose down; echo COMPOSE_PROJECT_NAME=mattermost-$(date -u +%Y%m%d%H%M) >>.env"
}

# Extracts NAME.tar.gz ($1) into a directory of the server ($2).
extract() {
  # shellcheck disable=SC2016
  server sh -euc 'mkdir -p "$1"; exec tar --extract --gzip --directory="$1" --preserve-permissions --numeric-owner' \
    sh "$2" <"${backup}/$1.tar.gz"
}

# Whether the server of the image is too old for the database. VERSION may already name a newer
# release that was stopped before it has migrated anything, so migrations count where there are any.
is_too_old() {
  migration=$(stated "${backup}" migration)
  if [ -n "${last}" ] && [ -n "${migration}" ]; then
    [ "${last}" -lt "${migration}" ]
    return
  fi
  awk -v image="${image}" -v backup="$(stated "${backup}" mattermost)" 'BEGIN {
    split(image, x, "."); split(backup, y, ".")
    for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit x[i] + 0 > y[i] + 0
    exit 1
  }'
}

# ---- the command line ---------------------------------------------------------------------

draft=
is_up=
restoring=
log=$(mktemp)
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

case $#:${1:-} in
  1:create) create ;;
  2:check) check "$2" ;;
  2:restore) restore "$2" ;;
  1:help | 1:--help) usage ;;
  *)
    usage >&2
    exit 64
    ;;
esac
