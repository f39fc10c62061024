#!/bin/bash
# The same job the classical way, to compare with: settings with their defaults and
# _FILE twins, a wait for the database, a look at its release, values set in
# config.json, and the server in place of the shell.
#
# Usage: classic.sh, with DB_* and MATTERMOST_* as for app:start; JQ, PSQL and
# MARIADB are the commands to use, in words.
set -euo pipefail

setting() { # setting NAME DEFAULT
  local twin="${1}_FILE"
  if [ -n "${!1:-}" ] && [ -n "${!twin:-}" ]; then
    echo "Both $1 and $twin are set" >&2
    exit 78
  fi
  if [ -n "${!twin:-}" ]; then
    export "$1=$(<"${!twin}")"
  else
    export "$1=${!1:-$2}"
  fi
  unset "$twin"
}

setting DB_ADAPTER mysql
setting DB_HOST localhost
setting DB_PORT 5432
setting DB_NAME mattermost
setting DB_USER mattermost
setting DB_PASS ""
setting DB_TIMEOUT 60
setting MATTERMOST_SITE_URL ""
setting MATTERMOST_PORT 80
setting MATTERMOST_NAME Mattermost
setting MATTERMOST_INSTALL_DIR /opt/mattermost
setting MATTERMOST_CONF_DIR /etc/mattermost
setting MATTERMOST_DATA_DIR /var/lib/mattermost
setting MATTERMOST_LOG_DIR /var/log/mattermost

[[ "$MATTERMOST_PORT" =~ ^[0-9]+$ ]] || {
  echo "MATTERMOST_PORT must be a port" >&2
  exit 78
}

question="SELECT Value FROM Systems WHERE Name = 'Version'"
ask() {
  if [ "$DB_ADAPTER" = postgres ]; then
    PGPASSWORD="$DB_PASS" $PSQL -h "$DB_HOST" -p "$DB_PORT" -U "$DB_USER" \
      -d "$DB_NAME" -At -c "$question"
  else
    MYSQL_PWD="$DB_PASS" $MARIADB --no-defaults -h "$DB_HOST" -P "$DB_PORT" \
      -u "$DB_USER" -N -e "$question" "$DB_NAME"
  fi
}
for ((i = 0; ; i++)); do
  if installed=$(ask 2>/dev/null); then break; fi
  if ((i >= DB_TIMEOUT)); then
    echo "The database does not answer" >&2
    exit 69
  fi
  sleep 1
done
if [ "${installed%%.*}" -gt "${MATTERMOST_VERSION%%.*}" ]; then
  echo "The database is newer than the server" >&2
  exit 78
fi

mkdir -p "$MATTERMOST_CONF_DIR" "$MATTERMOST_DATA_DIR" "$MATTERMOST_LOG_DIR"
config="$MATTERMOST_CONF_DIR/config.json"
base="$config"
[ -s "$base" ] || base="$MATTERMOST_INSTALL_DIR/config/config.json"
if [ "$DB_ADAPTER" = postgres ]; then
  export dsn="postgres://$DB_USER:$DB_PASS@$DB_HOST:$DB_PORT/$DB_NAME?sslmode=disable"
else
  export dsn="$DB_USER:$DB_PASS@tcp($DB_HOST:$DB_PORT)/$DB_NAME?charset=utf8mb4,utf8"
fi
umask 077
$JQ --indent 4 '
  .ServiceSettings.SiteURL = env.MATTERMOST_SITE_URL |
  .ServiceSettings.ListenAddress = ":" + env.MATTERMOST_PORT |
  .TeamSettings.SiteName = env.MATTERMOST_NAME |
  .SqlSettings.DriverName = env.DB_ADAPTER |
  .SqlSettings.DataSource = env.dsn |
  .FileSettings.Directory = env.MATTERMOST_DATA_DIR + "/" |
  .LogSettings.FileLocation = env.MATTERMOST_LOG_DIR
' "$base" >"$config.new"
mv "$config.new" "$config"
echo "$MATTERMOST_VERSION" >"$MATTERMOST_DATA_DIR/VERSION"
unset dsn DB_PASS

cd "$MATTERMOST_INSTALL_DIR"
if [ "$(id -u)" = 0 ]; then
  chown 2000:2000 "$config" "$MATTERMOST_DATA_DIR/VERSION"
  exec setpriv --reuid=2000 --regid=2000 --clear-groups bin/mattermost
fi
exec bin/mattermost
