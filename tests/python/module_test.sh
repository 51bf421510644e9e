#!/bin/sh
# Runs the tests against the module of a build, without installing it: for sanitizers.
#
#     cmake --preset asan -DGW_PYTHON=ON -DPython_EXECUTABLE=PYTHON && cmake --build --preset asan --target gw_python
#     tests/python/module_test.sh build/asan PYTHON
#
# PYTHON has nanobind and what tests/python/apps/requirements.txt lists. The growth of memory is not tested: sanitizers keep what was freed.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
python=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
mkdir "$directory/gw"
cp "$source"/bindings/python/gw/* "$build"/bindings/python/_gw*.so "$directory/gw/"
preload=""
for library in $(ldd "$directory"/gw/_gw*.so | sed -n 's/^[[:space:]]*\(lib[at]san\|libubsan\)\.so.* => \([^ ]*\) .*/\2/p'); do preload="$preload $library"; done
# Or the first exception is thrown past the sanitizer.
[ -z "$preload" ] || preload="$preload $(gcc -print-file-name=libstdc++.so.6)"
cat >"$directory/python" <<END
#!/bin/sh
export LD_PRELOAD="$preload" PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
exec "$python" "\$@"
END
chmod +x "$directory/python"
export PYTHONPATH="$directory"
"$directory/python" -m pytest -q -p no:cacheprovider --deselect "tests/python/test_life.py::test_a_hundred_thousand_requests_leave_nothing" "$source/tests/python"
"$source/tests/python/apps/upstream_test.sh" "$directory/python"
