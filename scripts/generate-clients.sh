#!/usr/bin/env bash
# Writes the generated files of the clients from openapi.yaml.
#
#   scripts/generate-clients.sh           writes them
#   scripts/generate-clients.sh --check   fails if the ones that are checked in differ
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh

ensure_clients
[ -n "${STAGEGATE_TEST_CLIENTS:-}" ] || die "the generators are not installed"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

node "$STAGEGATE_TEST_CLIENTS/node_modules/openapi-typescript/bin/cli.js" openapi.yaml --output "$fresh/schema.ts" >/dev/null
"$STAGEGATE_TEST_CLIENTS/python/bin/datamodel-codegen" --input openapi.yaml --input-file-type openapi \
    --output "$fresh/models.py" --output-model-type pydantic_v2.BaseModel --extra-fields allow \
    --target-python-version 3.10 --use-standard-collections --use-union-operator --use-annotated \
    --field-constraints --disable-timestamp 2>"$fresh/said" || { cat "$fresh/said" >&2; exit 1; }

for pair in schema.ts:clients/typescript/src/schema.ts models.py:clients/python/stagegate/models.py; do
    if [ "${1-}" = --check ]; then
        cmp -s "$fresh/${pair%%:*}" "${pair#*:}" || die "${pair#*:} is not current: scripts/generate-clients.sh writes it"
    else
        cp "$fresh/${pair%%:*}" "${pair#*:}"
    fi
done
