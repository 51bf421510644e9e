"""Checks that what the documentation shows is true.

    snippets_test.py cpp ROOT COMPILER [FLAG...]   every ```cpp block compiles
    snippets_test.py config ROOT GW                every ```yaml and ```json block passes `gw check`, and every `$ gw check`, `$ gw routes`,
                                                   `$ gw explain` and `$ gw version` of a ```console block answers what the page says

The pages are README.md, docs/**/*.md and examples/**/*.md. A block is checked unless a comment says otherwise. Comments
stand directly above the block and do not show on the page:

    <!-- not checked: WHY -->   neither compiled nor given to gw
    <!-- given: CODE -->        C++ declarations that the block may use and that the page leaves out
    <!-- file: NAME -->         the configuration is the file NAME for the `$ gw check NAME` that follow on the page; above a ```text
                                block: the file that configurations below name

A cpp block with `#include` or a function at the left edge stands in a namespace of its own; any other block is the inside of a
function that has `gw::Gateway& app` and `gw::Context& c`. What needs regular expressions is left out if gw was built without RE2.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"((?:^<!--(?:(?!-->).)*-->\n)*)^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--\s*(not checked|given|file):\s*(.*?)\s*-->", re.DOTALL)
INCLUDE = re.compile(r"^#include .*$", re.MULTILINE)
# A definition of a function at the left edge: "gw::Task<> timing(gw::Context& c, gw::Next next) {".
FUNCTION = re.compile(r"^(?!(?:if|for|while|switch|return|co_\w+)\b)[\w:<>&*, ]+[ &*]\w+\([^;{}]*\)(?: const)? \{", re.MULTILINE)

FRAGMENT = """
int fragment([[maybe_unused]] gw::Gateway& app, [[maybe_unused]] gw::Context& c) {
#line %d "%s"
%s
}
"""


class Block:
    """A fenced block of a page."""

    def __init__(self, page, text, match):
        self.page = page
        self.comments = dict(COMMENT.findall(match.group(1)))
        self.kind = match.group(2)
        self.code = match.group(3)
        self.line = text.count("\n", 0, match.start(3)) + 1

    @property
    def is_checked(self):
        return "not checked" not in self.comments


def blocks(root, *kinds):
    pages = [root / "README.md", *sorted(root.glob("docs/**/*.md")), *sorted(root.glob("examples/**/*.md"))]
    for page in pages:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            block = Block(page.relative_to(root).as_posix(), text, match)
            if block.kind in kinds and block.is_checked:
                yield block


def translation_unit(found):
    """One source with every block in a namespace of its own: gw's headers are read once for all of them."""
    includes = ["#include <gw/gw.hpp>", "#include <iostream>"]
    bodies = []
    for number, block in enumerate(found):
        includes += INCLUDE.findall(block.code)
        # Lines stay where they are, so that the compiler names those of the page.
        code = INCLUDE.sub("", block.code)
        is_whole = code != block.code or FUNCTION.search(code)
        body = ('#line %d "%s"\n%s' if is_whole else FRAGMENT) % (block.line, block.page, code)
        bodies.append("namespace snippet_%d {\n%s\n%s\n}\n" % (number, block.comments.get("given", ""), body))
    return "\n".join(dict.fromkeys(includes)) + "\n" + "\n".join(bodies)


def check_cpp(root, compiler):
    found = list(blocks(root, "cpp"))
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "snippets.cpp"
        source.write_text(translation_unit(found))
        # Only errors count: warnings would be about the frame that is put around the blocks.
        command = [*compiler, "-fsyntax-only", "-w", str(source)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root)
    if done.returncode != 0:
        sys.exit(done.stdout)
    print("%d blocks of C++ compile" % len(found))


class Gw:
    """The program, in a directory of its own with the files of a page."""

    def __init__(self, program, folder):
        self.program = pathlib.Path(program).resolve()
        self.folder = folder
        # What pages show as variables of the environment is not set here: they have defaults.
        self.environment = {"PATH": os.defpath}

    def answer(self, *arguments):
        done = subprocess.run([self.program, *arguments], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return done.returncode, done.stdout


    def has_regex(self):
        (self.folder / "regex.json").write_text('{"routes": [{"regex": "/", "handler": "h"}]}')
        return "without RE2" not in self.answer("check", "regex.json")[1]


def transcripts(code):
    """The commands of a console block and what the page says they answer."""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, answer = part.partition("\n")
        yield command, answer


def check_config(root, program):
    configurations = commands = 0
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        gw = Gw(program, pathlib.Path(folder))
        (gw.folder / "log").mkdir()
        pages = {}
        has_regex = gw.has_regex()
        for block in blocks(root, "yaml", "json", "console", "text"):
            where = "%s:%d" % (block.page, block.line)
            if block.kind == "text":
                if "file" in block.comments:
                    (gw.folder / block.comments["file"]).write_text(block.code)
                continue
            if block.kind == "console":
                for command, expected in transcripts(block.code):
                    words = shlex.split(command)
                    if words[:2] not in (["gw", "check"], ["gw", "explain"], ["gw", "routes"], ["gw", "version"]):
                        continue
                    for name, text in pages.get(block.page, {}).items():
                        (gw.folder / name).write_text(text)
                    if not has_regex and "regex:" in pages.get(block.page, {}).get(words[-1], ""):
                        continue
                    answer = gw.answer(*words[1:])[1]
                    commands += 1
                    if answer != expected:
                        problems.append("%s: %s\nthe page says\n%sgw says\n%s" % (where, command, expected, answer))
                continue
            # Pages write logs where a system has them; a test may not.
            text = block.code.replace("/var/log/gw/", "%s/log/" % gw.folder)
            if "file" in block.comments:
                pages.setdefault(block.page, {})[block.comments["file"]] = text
            if not has_regex and "regex:" in text:
                continue
            name = "page." + block.kind
            (gw.folder / name).write_text(text)
            code, answer = gw.answer("check", name)
            configurations += 1
            # A file of a page may show mistakes, if a transcript says which.
            if code != 0 and "file" not in block.comments:
                problems.append("%s:\n%s" % (where, answer))
    if problems:
        sys.exit("\n".join(problems))
    print("%d configurations and %d commands are as the pages say" % (configurations, commands))


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in ("cpp", "config"):
        sys.exit(__doc__)
    tree = pathlib.Path(sys.argv[2])
    check_cpp(tree, sys.argv[3:]) if sys.argv[1] == "cpp" else check_config(tree, sys.argv[3])
