"""Compares what `gw explain` says with what a running gateway has done, for the requests of all suites.

`harness.TestCase` has the requests of its clients recorded. When a test ends, each different one is explained with the configuration
that the gateway ran with, and must have been treated so: what reached an origin is the head that was explained, field by field and in
order, and what did not was answered with the status that was explained.
"""
import collections
import json
import pathlib
import re
import subprocess

import harness

# What only a running request knows.
RUNNING = {"<listener port>": "[0-9]+", "<gateway>": "gw-[0-9a-f]{8}", "<endpoint>": "[^ ]+"}
# Stages that may answer a request, and with what; an explanation lists stages and does not run them.
ANSWERS = {"ip_filter": {403}, "rate_limit": {429}, "body_limit": set(), "cors": {204, 403}, "key_auth": {401, 503}, "basic_auth": {401, 503}}
# Stages that edit what goes upstream; then method and path are compared.
EDITS = {"request_id", "headers", "key_auth", "basic_auth"}
# What happens to a request on its way that nobody can tell before: nothing to compare. Everything else is compared.
BY_CHANCE = {
    400: "its content breaks its framing",
    408: "the client stops sending it",
    413: "more content comes than was known",
    499: "the client leaves",
    502: "no upstream, or a bad one",
    503: "no upstream, or too much at once",
    504: "a slow upstream",
    508: "it went in a circle",
}

Asked = collections.namedtuple("Asked", "config method target fields version")


def explain(config, method, target, fields=(), directory=None):
    """The explanation of a request of 127.0.0.1 under a configuration: a running gateway, or its text."""
    if isinstance(config, str):
        file = pathlib.Path(directory) / "explained.json"
        file.write_text(config)
    else:
        file = config.file
    command = [harness.gw_program, "explain", "--json", "--peer", "127.0.0.1", str(file), method, target]
    for name, value in fields:
        command += ["-H", ("%s: %s" % (name, value)).encode("latin-1")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if done.returncode != 0:
        raise AssertionError("%r:\n%s" % (command, done.stderr.decode()))
    return json.loads(done.stdout)


def pattern_of(line):
    """A line of a head as a regular expression."""
    text = re.escape(line)
    for name, value in RUNNING.items():
        text = text.replace(re.escape(name), value)
    # A byte that is no UTF-8.
    return text.replace("\ufffd", ".")


def is_same_head(explained, request, version):
    """Whether a request that reached an origin is the one that was explained, for a client of `version`."""
    sent = ["%s %s HTTP/1.1" % (request.method, request.target), *("%s: %s" % field for field in request.fields)]
    if version == "HTTP/1.0":
        # An expectation is for HTTP/1.1 (RFC 9110 10.1.1).
        explained = [re.sub("^Via: 1.1 <gateway>$", "Via: 1.0 <gateway>", line) for line in explained if not line.lower().startswith("expect:")]
    return len(sent) == len(explained) and all(re.fullmatch(pattern_of(said), line) for line, said in zip(sent, explained))


class Record:
    """The requests that the clients of one test have sent to one gateway, and how each was answered."""

    def __init__(self):
        self.answers = collections.defaultdict(list)

    def add(self, gateway, method, target, fields, body, version):
        """A request that is about to be sent; whoever reads its response appends the status to the result."""
        fields = [("Host", "test.example"), *fields]
        if body is not None:
            fields.append(("Content-Length", str(len(body))))
        return self.answers[Asked(gateway.in_use, method, target, tuple(fields), version)]

    def compare(self, test, origins):
        """Explains what was recorded and compares."""
        for asked, statuses in self.answers.items():
            with test.subTest(explained=asked[1:4]):
                said = explain(asked.config, asked.method, asked.target, asked.fields, test.directory)
                # Other upstreams, such as Flask, do not tell what reached them.
                if not said["head"] or set(said["endpoints"]) & {o.address for o in origins}:
                    self.compare_one(test, asked, statuses, said, [r for o in origins for r in o.requests])

    def compare_one(self, test, asked, statuses, said, arrived):
        answered_by_stages = set().union(*(ANSWERS.get(stage, ()) for stage in said["stages"]))
        told = set(statuses) - set(BY_CHANCE) - answered_by_stages
        if not said["head"]:
            if not said["is_handler"]:
                test.assertLessEqual(told, {said["status"]}, said)
        elif told and EDITS & set(said["stages"]):
            method, target, _ = said["head"][0].split(" ")
            test.assertIn((method, target.split("?")[0]), [(r.method, r.target.split("?")[0]) for r in arrived], said)
        elif told:
            heads = "\n".join("%s %s %s" % (r.method, r.target, r.fields) for r in arrived)
            test.assertTrue(any(is_same_head(said["head"], r, asked.version) for r in arrived), "%s\nis none of\n%s" % ("\n".join(said["head"]), heads))
