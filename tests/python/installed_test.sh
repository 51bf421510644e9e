#!/bin/sh
# Installs the Python package into a fresh virtual environment, as a user does, and tries it there.
# What is built stays in SOURCE/build/python.
# Usage: installed_test.sh SOURCE [OPTION OF CMAKE]...
set -eu
source=$1
shift
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
/usr/bin/python3 -m venv "$directory/venv"
bin=$directory/venv/bin
if ! "$bin/pip" download -q --disable-pip-version-check --retries 1 --timeout 20 --no-deps -d "$directory/wheels" nanobind >/dev/null 2>&1 </dev/null; then
  echo "PyPI cannot be reached: the Python package is not tested" >&2
  exit 77
fi
options=""
for option in "$@"; do options="$options --config-settings=cmake.define.$option"; done
# shellcheck disable=SC2086  # a list of words
"$bin/pip" install -q --disable-pip-version-check --config-settings=build-dir="$source/build/python" $options "$source" </dev/null
"$bin/pip" install -q --disable-pip-version-check mypy -r "$source/tests/python/apps/requirements.txt" </dev/null
export PYTHONDONTWRITEBYTECODE=1
cd "$directory"
"$bin/gw" version
"$bin/python" -m gw version >/dev/null
"$bin/python" -m mypy --strict --cache-dir "$directory/mypy" "$source/examples/python" "$source/bindings/python/gw"
"$bin/python" -m pytest -q -p no:cacheprovider "$source/tests/python"
(cd "$source/examples/python" && "$bin/python" -m pytest -q -p no:cacheprovider .)
"$source/tests/python/apps/upstream_test.sh" "$bin/python"
