#!/bin/sh
# The parts of the official script that the tests need: MARIADB_ROOT_PASSWORD,
# MARIADB_DATABASE, MARIADB_USER and MARIADB_PASSWORD, each also as MYSQL_* and as NAME_FILE, at
# the first start only.
set -eu

# The value of a variable with either name, or of the file that the _FILE variable names.
value() {
  eval "given=\${MARIADB_$1:-\${MYSQL_$1:-}} file=\${MARIADB_$1_FILE:-\${MYSQL_$1_FILE:-}}"
  if [ -n "${file}" ]; then cat "${file}"; else printf '%s' "${given}"; fi
}

# A value as an SQL string, printed by printf because echo interprets backslashes.
quoted() {
  printf "'%s'" "$(value "$1" | sed -e 's/[\\]/\\\\/g' -e "s/'/''/g")"
}

[ "$1" = mariadbd ] || exec "$@"
shift
set -- mariadbd --user=mysql --datadir=/var/lib/mysql --socket=/var/run/mysqld/mysqld.sock \
  --bind-address=0.0.0.0 "$@"
chown -R mysql:mysql /var/lib/mysql

if [ ! -d /var/lib/mysql/mysql ]; then
  if [ -z "$(value ROOT_PASSWORD)" ]; then
    echo 'Database is uninitialized and password option is not specified' >&2
    exit 1
  fi
  mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
  {
    echo 'USE mysql;'
    echo "DELETE FROM global_priv WHERE User = '';"
    echo 'FLUSH PRIVILEGES;'
    printf '%s\n' "CREATE USER 'root'@'%' IDENTIFIED BY $(quoted ROOT_PASSWORD);"
    printf '%s\n' "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    database=$(value DATABASE)
    [ -z "${database}" ] || printf '%s\n' "CREATE DATABASE \`${database}\`;"
    if [ -n "$(value USER)" ]; then
      printf '%s\n' "CREATE USER $(quoted USER)@'%' IDENTIFIED BY $(quoted PASSWORD);"
      [ -z "${database}" ] || printf '%s\n' "GRANT ALL ON \`${database}\`.* TO $(quoted USER)@'%';"
    fi
  } | mariadbd --user=mysql --datadir=/var/lib/mysql --bootstrap
fi
exec "$@"
