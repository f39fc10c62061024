#!/bin/bash
# The job of app:start as a shell script, for the benchmark: it reads all settings with
# their defaults and _FILE variables, waits for the database and checks it, writes the
# values into config.json, and executes the server. jq and the database's client run only
# once each.
#
# Usage: classic.sh, with the variables of app:start. JQ, PSQL and MARIADB are commands,
# whose words are separated by spaces. SETTINGS is a file with calls of setting, FILTER a
# file with a jq program.
set -euo pipefail

problems=
setting() { # setting NAME DEFAULT TYPE
  local file_variable="${1}_FILE" value
  if [ -n "${!file_variable:-}" ]; then
    [ -z "${!1:-}" ] || problems+="$1: both $1 and $file_variable are set"$'\n'
    value=$(<"${!file_variable}")
  else
    value="${!1:-$2}"
  fi
  case "$3" in
    number) [[ "$value" =~ ^[0-9]+$ ]] || problems+="$1 must be a number"$'\n' ;;
    boolean) [[ "$value" =~ ^(true|false)$ ]] || problems+="$1 must be true or false"$'\n' ;;
  esac
  export "$1=$value"
  unset "$file_variable"
}
. "$SETTINGS"
if [ -n "$problems" ]; then
  printf '%s' "$problems" >&2
  exit 78
fi

versions="(SELECT Value FROM Systems WHERE Name = 'Version'), (SELECT MAX(Version) FROM db_migrations)"
query() {
  if [ "$DB_ADAPTER" = postgres ]; then
    PGPASSWORD="$DB_PASS" $PSQL -h "$DB_HOST" -p "$DB_PORT" -U "$DB_USER" \
      -d "$DB_NAME" -At -F ' ' -c "SELECT current_setting('server_version_num'),
        pg_is_in_recovery(), has_schema_privilege(current_schema(), 'CREATE'), $versions"
  else
    MYSQL_PWD="$DB_PASS" $MARIADB --no-defaults -h "$DB_HOST" -P "$DB_PORT" \
      -u "$DB_USER" -N -e "SELECT VERSION(), @@read_only, 1, $versions" "$DB_NAME"
  fi
}
for ((i = 0; ; i++)); do
  if answer=$(query 2>/dev/null); then break; fi
  if ((i >= DB_TIMEOUT)); then
    echo "The database did not accept a login within $DB_TIMEOUT s" >&2
    exit 69
  fi
  sleep 1
done
read -r _ readonly create installed migration <<<"$answer"
if [[ "$readonly" = [t1] || "$create" = f ]]; then
  echo "The database must be writable" >&2
  exit 77
fi
if [ "${installed%%.*}" -gt "${MATTERMOST_VERSION%%.*}" ] || [ "$migration" -gt 200 ]; then
  echo "The database was migrated by a newer server" >&2
  exit 78
fi

directories=("$MATTERMOST_CONF_DIR" "$MATTERMOST_DATA_DIR" "$MATTERMOST_LOG_DIR")
mkdir -p "${directories[@]}"
if [ "$(id -u)" = 0 ]; then
  find "${directories[@]}" ! -user "$MATTERMOST_UID" \
    -exec chown "$MATTERMOST_UID:$MATTERMOST_GID" {} +
fi
config="$MATTERMOST_CONF_DIR/config.json"
base="$config"
[ -s "$base" ] || base="$MATTERMOST_INSTALL_DIR/config/config.json"
if [ "$DB_ADAPTER" = postgres ]; then
  export dsn="postgres://$DB_USER:$DB_PASS@$DB_HOST:$DB_PORT/$DB_NAME?sslmode=disable"
else
  export dsn="$DB_USER:$DB_PASS@tcp($DB_HOST:$DB_PORT)/$DB_NAME?charset=utf8mb4,utf8"
fi
[ -s "$config" ] || secret=$(head -c 32 /dev/urandom | base64 -w 0)
export secret
umask 077
$JQ --indent 4 -f "$FILTER" "$base" >"$config.new"
if cmp -s "$config.new" "$config"; then
  rm "$config.new"
else
  [ ! -s "$config" ] || cp -p "$config" "$config.1"
  sync "$config.new"
  mv "$config.new" "$config"
fi
echo "$MATTERMOST_VERSION" >"$MATTERMOST_DATA_DIR/VERSION"
unset dsn secret DB_PASS

cd "$MATTERMOST_INSTALL_DIR"
if [ "$(id -u)" = 0 ]; then
  chown "$MATTERMOST_UID:$MATTERMOST_GID" "$config" "$MATTERMOST_DATA_DIR/VERSION"
  exec setpriv --reuid="$MATTERMOST_UID" --regid="$MATTERMOST_GID" --clear-groups bin/mattermost
fi
exec bin/mattermost
