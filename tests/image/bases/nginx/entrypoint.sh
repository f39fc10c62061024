#!/bin/sh
# The parts of the official script that the tests need: each file of
# /etc/nginx/templates goes to /etc/nginx/conf.d with the environment's variables filled in.
set -eu

names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
  [ -e "${template}" ] || continue
  envsubst "${names}" <"${template}" >"/etc/nginx/conf.d/$(basename "${template}" .template)"
done
exec "$@"
