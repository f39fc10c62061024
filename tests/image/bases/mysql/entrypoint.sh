#!/bin/sh
# The parts of the official script that the tests need: MYSQL_ROOT_PASSWORD,
# MYSQL_DATABASE, MYSQL_USER and MYSQL_PASSWORD, each also as NAME_FILE, at the first start only.
set -eu

socket=/var/run/mysqld/mysqld.sock

# The value of a variable, or of the file that its _FILE variable names.
value() {
  eval "given=\${$1:-} file=\${$1_FILE:-}"
  if [ -n "${file}" ]; then cat "${file}"; else printf '%s' "${given}"; fi
}

# A value as an SQL string, printed by printf because echo interprets backslashes.
quoted() {
  printf "'%s'" "$(value "$1" | sed -e 's/[\\]/\\\\/g' -e "s/'/''/g")"
}

[ "$1" = mysqld ] || exec "$@"
shift
set -- mysqld --user=mysql --datadir=/var/lib/mysql --socket="${socket}" \
  --pid-file=/var/run/mysqld/mysqld.pid --mysqlx=OFF --secure-file-priv=NULL \
  --innodb-numa-interleave=OFF "$@"
chown -R mysql:mysql /var/lib/mysql

if [ ! -d /var/lib/mysql/mysql ]; then
  if [ -z "$(value MYSQL_ROOT_PASSWORD)" ]; then
    echo 'Database is uninitialized and password option is not specified' >&2
    exit 1
  fi
  "$@" --initialize-insecure
  "$@" --skip-networking &
  server=$!
  until mysqladmin --socket="${socket}" --user=root --silent ping; do
    kill -0 "${server}"
    sleep 0.2
  done
  {
    printf '%s\n' "CREATE USER 'root'@'%' IDENTIFIED BY $(quoted MYSQL_ROOT_PASSWORD);"
    printf '%s\n' "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    database=$(value MYSQL_DATABASE)
    [ -z "${database}" ] || printf '%s\n' "CREATE DATABASE \`${database}\`;"
    if [ -n "$(value MYSQL_USER)" ]; then
      printf '%s\n' "CREATE USER $(quoted MYSQL_USER)@'%' IDENTIFIED BY $(quoted MYSQL_PASSWORD);"
      [ -z "${database}" ] || printf '%s\n' "GRANT ALL ON \`${database}\`.* TO $(quoted MYSQL_USER)@'%';"
    fi
    printf '%s\n' "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted MYSQL_ROOT_PASSWORD);"
  } | mysql --socket="${socket}" --user=root
  kill "${server}"
  wait "${server}" || true
fi
exec "$@"
