"""Compares what `gw explain` says with what a running gateway has done: all requests of a suite whose client is an `explaining.Client`."""
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


def assert_same_head(test, explained, request):
    """That a request which reached an origin is the one that was explained, field by field and in order."""
    sent = ["%s %s HTTP/1.1" % (request.method, request.target), *("%s: %s" % field for field in request.fields)]
    test.assertEqual(len(sent), len(explained), "\n%s\n%s" % (sent, explained))
    for line, said in zip(sent, explained):
        test.assertRegex(line, "^%s$" % pattern_of(said))


class Client(harness.wire.Client):
    """A client whose every request is explained, too: what reached `backend` must be what `gw explain` says, or, where nothing did, the
    status. A stage may edit what goes upstream, which an explanation does not show; then only the target is compared."""

    def __init__(self, test, gateway, backend):
        super().__init__(gateway.port)
        self.test, self.gateway, self.backend = test, gateway, backend

    def request(self, method="GET", target="/", fields=(), body=None, version="HTTP/1.1"):
        before = len(self.backend.requests)
        response = super().request(method, target, fields, body, version)
        arrived = self.backend.requests[before:]
        asked = [("Host", "test.example"), *fields]
        if body is not None:
            asked.append(("Content-Length", str(len(body))))
        said = explain(self.gateway, method, target, asked)
        self.test.assertEqual(len(arrived), 1 if said["head"] else 0, said)
        if not arrived:
            self.test.assertEqual(said["status"], response.status)
        elif said["stages"]:
            self.test.assertEqual(said["head"][0].split(" ")[:2], [arrived[0].method, arrived[0].target])
        else:
            assert_same_head(self.test, said["head"], arrived[0])
        return response
