#!/bin/sh
# The parts of the official script that the tests need: each file of
# /etc/nginx/templates goes to /etc/nginx/conf.d with the environment's variables filled in, and
# NGINX_LOCAL_RESOLVERS has the name servers if they are wanted.
set -eu

if [ -n "${NGINX_ENTRYPOINT_LOCAL_RESOLVERS:-}" ]; then
  NGINX_LOCAL_RESOLVERS=$(sed -n 's/^nameserver //p' /etc/resolv.conf | tr '\n' ' ')
  export NGINX_LOCAL_RESOLVERS
fi
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
  [ -e "${template}" ] || continue
  envsubst "${names}" <"${template}" >"/etc/nginx/conf.d/$(basename "${template}" .template)"
done
exec "$@"
