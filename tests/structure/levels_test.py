"""Checks that a file includes only its own level and below.

A header says its level in its first line of documentation, or has that of its folder. A source has the level of its
header. Usage: levels_test.py ROOT
"""
import pathlib
import re
import sys

# What the design fixes. Other headers choose their level, except in these folders.
LEVELS = {
    0: "version error",
    1: "http body task message limits network",
    2: "context router middleware metrics",
    3: "transport reply upstream pool balancer",
    4: "forward",
    5: "config gateway gw",
}
FOLDERS = {"include/gw/balance": 3, "include/gw/middleware": 4, "src/h1": 1, "src/net": 3, "src/proxy": 4, "src/middleware": 4,
           "src/config": 5}
# Usable with nothing but the standard library: no Asio, however deep.
CORE = "version error random hash http limits network path params route router route_tree shadowed_routes reply upstream pool balancer"
# Seen by sources alone, so that no user needs their headers.
PRIVATE = ("llhttp", "rapidjson", "yaml-cpp", "openssl", "crypt", "re2", "ares", "nghttp2")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
LEVEL = re.compile(r"^/// Level (\d):", re.MULTILINE)


class Tree:
    """The files of gw, their levels and what they include."""

    def __init__(self, root):
        self.problems = []
        self.text = {}
        for folder in ("include", "src"):
            for path in sorted((root / folder).rglob("*")):
                if path.suffix in (".hpp", ".cpp"):
                    self.text[path.relative_to(root).as_posix()] = path.read_text()

    def own(self, include):
        """The path of the file of gw that `include` names, or None."""
        return next((p for p in ("include/" + include, "src/" + include) if p in self.text), None)

    def level(self, path):
        stem, _, kind = path.rpartition(".")
        if kind == "cpp":
            name = stem[len("src/"):]
            header = next((h for h in ("src/%s.hpp" % name, "include/gw/%s.hpp" % name) if h in self.text), None)
            if header:
                return self.level(header)
        said = LEVEL.search(self.text[path])
        if said:
            return int(said.group(1))
        return FOLDERS.get(path.rpartition("/")[0])

    def includes(self, path):
        return INCLUDE.findall(self.text[path])

    def reaches(self, path, wanted, seen):
        """The chain of files from `path` to an include that starts with `wanted`, or None."""
        for include in self.includes(path):
            if include.startswith(wanted):
                return [path, include]
            below = self.own(include)
            if below and below not in seen:
                seen.add(below)
                chain = self.reaches(below, wanted, seen)
                if chain:
                    return [path] + chain
        return None

    def check(self):
        for path in self.text:
            self.check_level(path)
            self.check_private(path)
        for name in CORE.split():
            path = "include/gw/%s.hpp" % name
            chain = path in self.text and self.reaches(path, "asio", set())
            if chain:
                self.problems.append("%s: is core, but reaches Asio: %s" % (path, " > ".join(chain)))
        for level, names in LEVELS.items():
            for path in ("include/gw/%s.hpp" % name for name in names.split()):
                if path in self.text and self.level(path) != level:
                    self.problems.append("%s: says level %s, is level %d" % (path, self.level(path), level))
        for path in self.text:
            folder = path.rpartition("/")[0]
            if folder in FOLDERS and self.level(path) != FOLDERS[folder]:
                self.problems.append("%s: says level %s, its folder is level %d" % (path, self.level(path), FOLDERS[folder]))

    def check_level(self, path):
        level = self.level(path)
        if level is None:
            self.problems.append("%s: has no level; begin its documentation with \"Level N:\"" % path)
            return
        for include in self.includes(path):
            below = self.own(include)
            if include.startswith("gw/") and not below:
                self.problems.append("%s: includes <%s>, which does not exist" % (path, include))
            if below and below.startswith("src/") and path.startswith("include/"):
                self.problems.append("%s: is public and includes the internal %s" % (path, include))
            if below and (self.level(below) or 0) > level:
                self.problems.append("%s: level %d includes %s, level %d" % (path, level, include, self.level(below)))

    def check_private(self, path):
        for include in self.includes(path):
            if include.split("/")[0].split(".")[0] in PRIVATE and not path.endswith(".cpp"):
                self.problems.append("%s: includes <%s>, which only sources may" % (path, include))


def check_examples(root):
    """Examples and bindings prove that the public headers are enough."""
    problems = []
    for folder in ("examples", "bindings"):
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            for include in INCLUDE.findall(path.read_text()):
                if (root / "src" / include).exists() or include.startswith("gw/detail/"):
                    problems.append("%s: includes %s, which is internal" % (path.relative_to(root).as_posix(), include))
    return problems


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    tree = Tree(root)
    tree.check()
    problems = tree.problems + check_examples(root)
    print("\n".join(problems) or "%d files, each includes its own level and below" % len(tree.text))
    return 1 if problems or not tree.text else 0


if __name__ == "__main__":
    sys.exit(main())
