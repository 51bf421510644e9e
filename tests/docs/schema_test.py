"""Holds docs/gw.schema.json and the decoder together.

    schema_test.py ROOT GW

Every map that the schema describes is given to `gw check` with a key that nobody knows: gw answers with the keys that it does know, and
they have to be those of the schema. Every word of an enumeration must be one that gw takes, and no other. Every configuration of the
documentation and of tests/data/config that gw accepts must satisfy the schema, and slips of type must not.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import snippets_test

STRANGER = "zzzzzzzzzzzz"


class Schema:
    def __init__(self, root):
        self.tree = json.loads((root / "docs/gw.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(self.tree)
        self.validator = jsonschema.Draft7Validator(self.tree)

    def resolve(self, node):
        while "$ref" in node:
            node = self.tree["definitions"][node["$ref"].rpartition("/")[2]]
        return node

    def branches(self, node):
        """The forms that a value may have: the members of anyOf and oneOf, or the node itself."""
        node = self.resolve(node)
        for key in ("anyOf", "oneOf"):
            if key in node:
                return [form for branch in node[key] for form in self.branches(branch)]
        return [node]

    def walk(self, node=None, wrap=lambda value: value, path=""):
        """Every described value: its path, its node, and what makes a configuration of a value that stands there."""
        for form in self.branches(self.tree if node is None else node):
            yield path, form, wrap
            for name, inner in form.get("properties", {}).items():
                yield from self.walk(inner, lambda value, name=name, wrap=wrap: wrap({name: value}), path + "." + name)
            for inner in [form.get("items"), form.get("additionalProperties")]:
                if isinstance(inner, dict):
                    is_list = inner is form.get("items")
                    yield from self.walk(inner, lambda value, is_list=is_list, wrap=wrap: wrap([value] if is_list else {"x": value}),
                                         path + ("[0]" if is_list else ".x"))


class Gw:
    def __init__(self, program, folder):
        self.program, self.file = pathlib.Path(program).resolve(), pathlib.Path(folder) / "probe.json"

    def problems(self, config):
        self.file.write_text(json.dumps(config))
        done = subprocess.run([self.program, "check", self.file.name], cwd=self.file.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        return done.stdout


def check_keys(schema, gw):
    """Maps with fixed keys: the decoder knows exactly those of the schema."""
    count, wrong = 0, []
    for path, form, wrap in schema.walk():
        if "properties" not in form:
            continue
        count += 1
        if form.get("additionalProperties") is not False:
            wrong.append("%s: the schema allows keys that it does not know" % path)
        answer = gw.problems(wrap({STRANGER: 1}))
        known = re.search(r'"%s"(?: is not built in and takes no options)?; known are (.*)' % STRANGER, answer)
        keys = set(re.findall(r'"([^"]*)"', known.group(1))) if known else None
        if keys != set(form["properties"]):
            wrong.append("%s: gw knows %s, the schema %s\n%s" % (path, keys and sorted(keys), sorted(form["properties"]), "" if keys else answer))
    return count, wrong


def check_words(schema, gw):
    """Enumerations: gw takes each word, and says what is wrong with another one. Where gw takes a variable, the schema does."""
    count, wrong = 0, []
    for path, form, wrap in schema.walk():
        for word in form.get("enum", []):
            count += 1
            for other, is_word in [(word, True), (STRANGER, False)]:
                answer = gw.problems(wrap(other))
                place = re.compile(r"^probe\.json:\d+:\d+: %s: " % re.escape(path.lstrip(".")), re.MULTILINE)
                if bool(place.search(answer)) == is_word:
                    wrong.append("%s: %r\n%s" % (path, other, answer))
            variable = "${GW_NOBODY:-%s}" % word
            faults = [len(list(schema.validator.iter_errors(wrap(value)))) for value in (word, variable)]
            if not place.search(gw.problems(wrap(variable))) and faults[0] != faults[1]:
                wrong.append("%s: the schema refuses %r" % (path, variable))
    return count, wrong


def check_types(schema, gw):
    """A value of a type that no form of the schema has: gw refuses it too."""
    count, wrong = 0, []
    for path, form, wrap in schema.walk():
        if "properties" not in form:
            continue
        for name, inner in form["properties"].items():
            for value in (STRANGER, [[]], {STRANGER: {STRANGER: []}}):
                if jsonschema.Draft7Validator({**inner, "definitions": schema.tree["definitions"]}).is_valid(value):
                    continue
                count += 1
                if not gw.problems(wrap({name: value})).strip().startswith("probe.json:"):
                    wrong.append("%s.%s: gw takes %r" % (path, name, value))
    return count, wrong


def check_examples(schema, root, gw):
    """What gw accepts satisfies the schema."""
    texts = [(str(file.relative_to(root)), file.read_text()) for file in sorted((root / "tests/data/config").iterdir())]
    texts += [("%s:%d" % (b.page, b.line), b.code) for b in snippets_test.blocks(root, "yaml", "json") if "file" not in b.comments]
    wrong = []
    for name, text in texts:
        for error in schema.validator.iter_errors(yaml.safe_load(text)):
            wrong.append("%s: %s: %s" % (name, error.json_path, error.message))
    return len(texts), wrong


def main(root, program):
    schema = Schema(root)
    with tempfile.TemporaryDirectory() as folder:
        gw = Gw(program, folder)
        results = [check_keys(schema, gw), check_words(schema, gw), check_types(schema, gw), check_examples(schema, root, gw)]
    wrong = [line for _, lines in results for line in lines]
    if wrong:
        sys.exit("\n".join(wrong))
    print("%d maps, %d words, %d slips of type and %d configurations agree" % tuple(count for count, _ in results))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
