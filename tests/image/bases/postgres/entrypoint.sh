#!/bin/sh
# The parts of the official script that the tests need: POSTGRES_USER,
# POSTGRES_PASSWORD and POSTGRES_DB, each also as NAME_FILE, at the first start only.
set -eu

# The value of a variable, or of the file that its _FILE variable names.
value() {
  eval "given=\${$1:-} file=\${$1_FILE:-}"
  if [ -n "${file}" ]; then cat "${file}"; else printf '%s' "${given:-$2}"; fi
}

[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  mkdir -p "${PGDATA}"
  chown -R postgres:postgres /var/lib/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups sh "$0" "$@"
fi

if [ ! -s "${PGDATA}/PG_VERSION" ]; then
  user=$(value POSTGRES_USER postgres)
  password=$(value POSTGRES_PASSWORD '')
  database=$(value POSTGRES_DB "${user}")
  if [ -z "${password}" ]; then
    echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
    exit 1
  fi
  umask 077
  printf '%s' "${password}" >/tmp/password
  initdb --username="${user}" --pwfile=/tmp/password --auth-local=trust \
    --auth-host=scram-sha-256 --encoding=UTF8 --no-locale --no-sync
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"${PGDATA}/pg_hba.conf"
  echo "listen_addresses = '*'" >>"${PGDATA}/postgresql.conf"
  pg_ctl --options="-c listen_addresses=''" --wait start
  [ "${database}" = postgres ] || createdb --username="${user}" "${database}"
  pg_ctl --mode=fast --wait stop
fi
exec "$@"
