#!/bin/sh
# Runs the tests of Starlette and of Flask's examples again, over sockets, against their applications in gw.
# Their source distributions are unpacked in a temporary directory.
# Usage: upstream_test.sh PYTHON     PYTHON: knows gw, and has requirements.txt
set -eu
python=$1
apps=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
grep -E '^(starlette|flask)==' "$apps/requirements.txt" >"$directory/sources.txt"
"$python" -m pip download -q --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: -d "$directory" -r "$directory/sources.txt" </dev/null
for file in "$directory"/*.tar.gz; do tar -xzf "$file" -C "$directory"; done
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$apps${PYTHONPATH:+:$PYTHONPATH}"
cd "$directory"/starlette-*
# Without their conftest.py: its fixture makes clients that need no server.
"$python" -m pytest -q -p no:cacheprovider --noconftest -p starlette_plugin --tb=short tests
for example in "$directory"/flask-*/examples/tutorial "$directory"/flask-*/examples/javascript; do
  cd "$example"
  "$python" -m pytest -q -p no:cacheprovider -p flask_plugin --tb=short
done
