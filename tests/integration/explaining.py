"""Compares what `gw explain` says with what a running gateway has done."""
import json
import re
import subprocess

import harness

# What only a running request knows.
RUNNING = {"<client address>": r"127\.0\.0\.1", "<listener port>": "[0-9]+", "<gateway>": "gw-[0-9a-f]{8}", "<endpoint>": "[^ ]+"}


def explain(gateway, method, target, fields=()):
    """The explanation of a request by the configuration that `gateway` runs with."""
    command = [harness.gw_program, "explain", "--json", str(gateway.file), method, target]
    for name, value in fields:
        command += ["-H", "%s: %s" % (name, value)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if done.returncode != 0:
        raise AssertionError("%r:\n%s" % (command, done.stderr.decode()))
    return json.loads(done.stdout)


def pattern_of(line):
    """A line of a head as a regular expression."""
    text = re.escape(line)
    for name, value in RUNNING.items():
        text = text.replace(re.escape(name), value)
    return text


def assert_same_head(test, explained, request):
    """That a request which reached an origin is the one that was explained, field by field and in order."""
    sent = ["%s %s HTTP/1.1" % (request.method, request.target), *("%s: %s" % field for field in request.fields)]
    test.assertEqual(len(sent), len(explained), "\n%s\n%s" % (sent, explained))
    for line, said in zip(sent, explained):
        test.assertRegex(line, "^%s$" % pattern_of(said))
