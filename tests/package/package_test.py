"""Uses gw as another project would.

    installed     installs the build, checks what the headers include, builds and runs examples/embed with find_package(gw)
    subdirectory  builds and runs tests/package/subdirectory, which adds gw's sources to its own
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

# Never needed by users of the headers.
PRIVATE = re.compile(r"/(llhttp|rapidjson|yaml-cpp|openssl|crypt|ares|doctest|CLI)[/.]")
# What examples/embed answers.
EMBED = """/hello/bob: 200 by embed: hello bob, says ann
/hello/bob: 401 by embed: {"message":"Unauthorized"}
/nowhere: 404 by embed: {"message":"no Route matched with those values"}
"""


def run(*command):
    """Runs a command; returns what it wrote, or ends the test with it."""
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit("%s\nended with %d\n%s" % (" ".join(map(str, command)), done.returncode, done.stdout))
    return done.stdout


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def build_and_run(a, source, build, program, *definitions):
    """Builds the project in `source` without optimisation, to be quick, and returns what its program wrote."""
    launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=" + a.launcher, "-DCMAKE_C_COMPILER_LAUNCHER=" + a.launcher] if a.launcher else []
    run(a.cmake, "-S", source, "-B", build, "-G", a.generator, "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_COMPILER=%s" % a.compiler,
        *launcher, *definitions)
    run(a.cmake, "--build", build, "-j", "2")
    return run(build / program)


def test_installed(a):
    # A build directory that is kept must not hide that a file is no longer installed.
    prefix = fresh(a.build / "package test" / "prefix")
    run(a.cmake, "--install", a.build, "--prefix", prefix)

    include = prefix / "include"
    headers = sorted(h.relative_to(include).as_posix() for h in include.rglob("*.hpp"))
    expected = sorted(h.relative_to(a.source / "include").as_posix() for h in (a.source / "include").rglob("*.hpp"))
    if headers != expected:
        sys.exit("installed headers differ: %s" % sorted(set(headers) ^ set(expected)))
    everything = prefix / "everything.cpp"
    everything.write_text("".join("#include <%s>\n" % h for h in headers))
    seen = run(a.compiler, "-std=c++20", "-DASIO_STANDALONE", "-M", "-I", include, everything)
    private = sorted(set(p for p in seen.split() if PRIVATE.search(p) and "/include/gw/" not in p))
    if private:
        sys.exit("public headers include %s" % private)

    answers = build_and_run(a, a.source / "examples/embed", fresh(a.build / "package test" / "embed"), "embed", "-DCMAKE_PREFIX_PATH=%s" % prefix)
    if answers != EMBED:
        sys.exit("examples/embed answered\n%s\ninstead of\n%s" % (answers, EMBED))
    return answers


def test_subdirectory(a):
    source = a.source / "tests/package/subdirectory"
    # Kept from run to run: it holds a whole gw.
    return build_and_run(a, source, a.build / "package test" / "subdirectory", "subdirectory", "-DGW_SOURCE=%s" % a.source)


def main():
    parser = argparse.ArgumentParser()
    for option in ("cmake", "generator", "compiler", "launcher"):
        parser.add_argument("--" + option, default="")
    for option in ("source", "build"):
        parser.add_argument("--" + option, type=pathlib.Path)
    parser.add_argument("kind", choices=["installed", "subdirectory"])
    a = parser.parse_args()
    print({"installed": test_installed, "subdirectory": test_subdirectory}[a.kind](a), end="")


if __name__ == "__main__":
    main()
