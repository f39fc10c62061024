#!/bin/bash
# The same job the classical way, to compare with: all settings with their defaults
# and _FILE twins, a wait for the database and what it says of itself, the values set
# in config.json, and the server in place of the shell. As lean as that can be: jq and
# the database's client run once each.
#
# Usage: classic.sh, with variables as for app:start. JQ, PSQL and MARIADB are the
# commands to use, in words; SETTINGS has the calls of setting, FILTER the jq program.
set -euo pipefail

trouble=
setting() { # setting NAME DEFAULT TYPE
  local twin="${1}_FILE" value
  if [ -n "${!twin:-}" ]; then
    [ -z "${!1:-}" ] || trouble+="$1: both $1 and $twin are set"$'\n'
    value=$(<"${!twin}")
  else
    value="${!1:-$2}"
  fi
  case "$3" in
    number) [[ "$value" =~ ^[0-9]+$ ]] || trouble+="$1 must be a number"$'\n' ;;
    boolean) [[ "$value" =~ ^(true|false)$ ]] || trouble+="$1 must be true or false"$'\n' ;;
  esac
  export "$1=$value"
  unset "$twin"
}
. "$SETTINGS"
if [ -n "$trouble" ]; then
  printf '%s' "$trouble" >&2
  exit 78
fi

versions="(SELECT Value FROM Systems WHERE Name = 'Version'), (SELECT MAX(Version) FROM db_migrations)"
ask() {
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
  if answer=$(ask 2>/dev/null); then break; fi
  if ((i >= DB_TIMEOUT)); then
    echo "The database does not answer" >&2
    exit 69
  fi
  sleep 1
done
read -r _ readonly create installed migration <<<"$answer"
if [[ "$readonly" = [t1] || "$create" = f ]]; then
  echo "The database cannot be written" >&2
  exit 77
fi
if [ "${installed%%.*}" -gt "${MATTERMOST_VERSION%%.*}" ] || [ "$migration" -gt 200 ]; then
  echo "The database is newer than the server" >&2
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
