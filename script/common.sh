# Shared by the scripts beside it: `. "$(dirname "$0")/common.sh"`. Moves to the root of the project and offers:
#   build PRESET [TARGET...]   configures and builds, quietly unless something fails or changes
set -eu
CDPATH= cd -- "$(dirname "$0")/.."

jobs() {
  # Compiling coroutines takes up to 1 GiB per job; a small machine with many cores would swap.
  memory=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || echo 2)
  cores=$(nproc 2>/dev/null || echo 2)
  [ "$memory" -ge 1 ] || memory=1
  [ "$memory" -lt "$cores" ] && echo "$memory" || echo "$cores"
}

build() {
  preset=$1
  shift
  cmake --preset "$preset" -Wno-dev --log-level=WARNING
  cmake --build "build/$preset" -j "$(jobs)" ${@:+--target "$@"}
}
