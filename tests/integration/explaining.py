"""Holds `gw explain` against what a running gateway does, for every request that the integration tests make.

Nothing has to be asked for: `harness` gives each gateway a `Comparison`, which sees what is sent to its ports. When the test ends,
every different request is explained with the configuration that was in use. Then

- a request that was answered has reached its origin as explained, field by field and in order, or was answered with the status and
  Location that were explained. Only fields that a listed stage edits are left out, and only what an explanation cannot know may answer
  otherwise: a listed stage that ends requests, an upstream that fails, a body that does not arrive;
- what reached an origin of the test is the head of an explanation;
- the gateway has counted at least as many requests per explained route and status as were answered (`/metrics`);
- every route but the explained one says why it does not take the request.

Clients that are seen are `wire.Client`, and curl and wrk of the harness. Bytes that are no HTTP explain nothing, and neither do those in
a tunnel; if gw took them for a request, that would reach an origin unexplained. What is not compared stands in EXEMPT.
"""
import collections
import concurrent.futures
import json
import os
import re
import subprocess

import harness
import wire

# What is not compared: all of a test, all of it in a build with sanitizers, or whether everything that reached its origins was explained.
ALL, SANITIZED, ARRIVALS = "all", "sanitized", "arrivals"
# Per file and test, what and why. A name that is no test of the file is a mistake.
EXEMPT = {
    "differential.test_what_reaches_the_upstream_is_what_a_strict_reader_finds": (SANITIZED, "6,400 explanations would take minutes"),
    "drain.test_under_load_every_request_that_was_read_is_answered": (ALL, "thousands of requests, all of one kind"),
    "fields.test_what_a_stage_says_about_the_client_goes_on": (ALL, "no stage runs in an explanation, and this one replaces fields"),
    "fields.test_two_gateways_in_a_row_are_no_loop": (ARRIVALS, "the outer gateway asks the inner one"),
    "framing.test_an_upstream_that_answers_without_100_is_not_asked_again_on_that_connection":
        (ARRIVALS, "the origin takes content for a request"),
    "slow_clients.test_slow_bodies": (ARRIVALS, "slowhttptest asks, too"),
    "slow_clients.test_slow_heads": (ARRIVALS, "slowhttptest asks, too"),
    "slow_clients.test_slow_readers": (ARRIVALS, "slowhttptest asks, too"),
    "transparent.test_events_arrive_one_by_one": (ARRIVALS, "a curl that the harness does not run asks"),
}

# How a stage may end a request.
ENDS = {"key_auth": {401, 503}, "basic_auth": {401, 503}, "rate_limit": {429}, "ip_filter": {403}, "body_limit": {413}}
# How a request may end that was to be forwarded: the upstream fails, cannot be reached or has no room, or the way is a circle.
FAILURES = {502, 503, 504, 508}
# How a request may end whose body did not arrive whole, or was wrong.
UNFINISHED = {400, 408, 413}
# Tests number their requests so; those that differ in that alone are explained once.
NUMBER = re.compile(r"(\?[a-z]*)[0-9]+(?= |$)")


def exemptions(file):
    """What is not compared in the tests of a file, by test."""
    return {name.split(".")[1]: what for name, (what, _) in EXEMPT.items() if name.split(".")[0] == file}


def explain(file, request):
    """The explanation of a `wire.Asked` by the configuration in a file; None if it is no request that can be explained."""
    # It would be for localhost.
    if request.version == "HTTP/1.1" and not request.fields.all("host"):
        return None
    # Space around these is an error, and taken off by the command line.
    if any(name.lower() in ("content-length", "transfer-encoding") and value != value.strip(" \t") for name, value in request.fields):
        return None
    command = [harness.gw_program, "explain", "--json", "--peer", request.peer, *(["--http1.0"] if request.version == "HTTP/1.0" else [])]
    for name, value in request.fields:
        command += ["-H", ("%s: %s" % (name, value)).encode("latin-1")]
    command += ["--", str(file), request.method, request.target]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if done.returncode == 1 and done.stderr.startswith(b"gw: "):
        return None
    if done.returncode != 0:
        raise AssertionError("%r:\n%s" % (command, done.stderr.decode()))
    return json.loads(done.stdout)


def lines_of(request):
    """The head of a request that has arrived, as `gw explain --json` writes it: each byte that is no UTF-8 is U+FFFD."""
    lines = ("%s %s HTTP/1.1" % (request.method, request.target), *("%s: %s" % field for field in request.fields))
    return tuple(re.sub("[\udc80-\udcff]", "\ufffd", line.encode("latin-1").decode("utf-8", "surrogateescape")) for line in lines)


def edited_by(stages):
    """The fields that stages may edit in a request, by stage, and the stages that may edit the query."""
    fields, query = collections.defaultdict(set), set()
    for stage in stages:
        for name, options in (stage.items() if isinstance(stage, dict) else [(stage, {})]):
            options = options if isinstance(options, dict) else {}
            request = options.get("request", {}) if name == "headers" else {}
            edited = [*request.get("set", {}), *request.get("add", {}), *request.get("remove", [])]
            if name == "request_id":
                edited = ["x-request-id"]
            if name in ("key_auth", "basic_auth"):
                edited = ["authorization", options.get("header", "x-api-key"), options.get("consumer_header", "x-consumer")]
            fields[name].update(map(name_of, edited))
            if name == "key_auth" and "query" in options:
                query.add(name)
    return fields, query


def name_of(line):
    """The name of a field; upstreams made like CGI take "_" for "-", and so do the stages that remove fields."""
    return line.split(":", 1)[0].lower().replace("_", "-")


class Form:
    """What is compared of the heads that have passed the same stages on their way to the same endpoints."""

    def __init__(self, said, edits, ports):
        fields, query = edits
        self.edited = set().union(*(fields[stage] for stage in said["stages"]))
        self.ignores_query = not query.isdisjoint(said["stages"])
        self.listeners = {"X-Forwarded-Port: %d" % port for port in ports}
        self.hosts = {"Host: " + endpoint for endpoint in said["endpoints"]} if len(said["endpoints"]) > 1 else set()
        self.ports = {endpoint.rsplit(":", 1)[1] for endpoint in said["endpoints"]}

    def of(self, lines):
        """The lines of a head without what is edited, and with the names that an explanation has for what only a running request knows."""
        first = re.sub(r"\?\S*", "", lines[0]) if self.ignores_query else NUMBER.sub(r"\1", lines[0])
        return (first, *(self.line(line) for line in lines[1:] if name_of(line) not in self.edited))

    def line(self, line):
        if line in self.hosts:
            return "Host: <endpoint>"
        if line in self.listeners:
            return "X-Forwarded-Port: <listener port>"
        return re.sub(r"\bgw-[0-9a-f]{8}\b", "<gateway>", line) if line.startswith("Via:") else line


class Comparison:
    """What was asked of one gateway, and what `gw explain` says about it."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.ports = set()  # of its listeners
        self.asked = []  # wire.Asked, of all clients
        self.configurations = []  # that were in use, with how many requests had been asked before
        self.pairs = []  # of a request and its explanation
        self.forms = {}  # with the heads of explanations that have it
        self.counted = collections.Counter()  # answers per explained route and status

    def begin(self, config, ports):
        """What is asked from now on, at these ports, is answered with another configuration."""
        self.ports.update(ports)
        for port in ports:
            wire.observed[port] = self.asked
        file = self.gateway.directory / ("in_use_%d.json" % len(self.configurations))
        file.write_text(json.dumps(config))
        self.configurations.append((len(self.asked), config, file))

    def explain(self, test):
        """Explains everything that was asked, each request with the configuration that was in use."""
        ends = [start for start, _, _ in self.configurations[1:]] + [len(self.asked)]
        for (start, config, file), end in zip(self.configurations, ends):
            names = {route.get("name", route.get("path", route.get("prefix"))) for route in config["routes"]}
            # The gateway forgets the counts of routes that are gone, too.
            self.counted = collections.Counter({key: n for key, n in self.counted.items() if not key[0] or key[0] in names})
            self.explain_some(test, self.asked[start:end], config, file)

    def explain_some(self, test, asked, config, file):
        edits = edited_by([*config.get("use", []), *(stage for route in config["routes"] for stage in route.get("use", []))])
        forms = {}
        different = {key_of(request): request for request in asked}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            said_of = dict(zip(different, pool.map(lambda request: explain(file, request), different.values())))
        for said in filter(None, said_of.values()):
            check_losers(test, said, config)
            if said["head"]:
                key = (*said["endpoints"], *said["stages"])
                form = said["form"] = forms.get(key) or forms.setdefault(key, Form(said, edits, self.ports))
                said["compared"] = form.of(said["head"])
                self.forms.setdefault(form, set()).add(said["compared"])
        for request in asked:
            said = said_of[key_of(request)]
            self.pairs.append((request, said))
            # What is refused before there is a route is counted elsewhere, and so is a connection too many.
            if said and request.status not in (None, 503) and (said["route"] is not None or request.status in (404, 405)):
                self.counted[(said["route"] or "", str(request.status))] += 1

    def check(self, test, arrived):
        """Compares; `arrived` are the heads that reached the origins of the test, by port."""
        reached = {form: {form.of(lines) for port in form.ports for lines in arrived.get(port, ())} for form in self.forms}
        for request, said in self.pairs:
            if request.status is None:
                continue
            if not said:
                test.assertGreaterEqual(request.status, 400, request)
                continue
            others = set().union(*(ENDS.get(stage, set()) for stage in said["stages"]))
            if said["status"]:
                test.assertIn(request.status, {said["status"]} | others, "%s\nwas explained as %s" % (request, said))
                if request.status == said["status"]:
                    test.assertEqual(request.location or "", said["location"], request)
            elif said["head"] and said["compared"] not in reached[said["form"]] and said["form"].ports <= arrived.keys():
                others |= FAILURES | (UNFINISHED if not request.is_whole or request.is_chunked else set())
                test.assertIn(request.status, others, "%s\ndid not arrive as %s" % (request, said["head"]))
        self.check_counts(test)

    def check_counts(self, test):
        """That the gateway has counted what was explained; if it still runs."""
        if not self.counted or not self.gateway.admin_port():
            return
        found = {}

        def are_there():
            found.update(self.gateway.requests_by_route())
            return all(found.get(key, 0) >= count for key, count in self.counted.items())

        test.assertTrue(harness.eventually(are_there), "explained: %s\ncounted: %s" % (dict(self.counted), found))

    def explains(self, port, lines):
        """Whether a head that reached an origin was explained."""
        return any(port in form.ports and form.of(lines) in heads for form, heads in self.forms.items())


def key_of(request):
    """What is the same of requests that are explained once."""
    return request.peer, request.method, NUMBER.sub(r"\1", request.target), request.version, tuple(request.fields)


def check_losers(test, said, config):
    """That every route but the one that takes the request says why it does not."""
    count = len(config["routes"]) - (said["route"] is not None)
    test.assertEqual(len(said["lost"]), count if said["path"] else 0, said)
    test.assertTrue(all(lost["lost_on"] and lost["why"] for lost in said["lost"]), said)


def check_all(test, comparisons, origins, exempt):
    """Compares all gateways of a test, all of which may ask the same origins."""
    if exempt == ALL or (exempt == SANITIZED and harness.IS_SANITIZED):
        return
    arrived = {origin.address.rpartition(":")[2]: {lines_of(request) for request in list(origin.requests)} for origin in origins}
    for comparison in comparisons:
        comparison.explain(test)
        comparison.check(test, arrived)
    if exempt == ARRIVALS:
        return
    for port, lines in ((port, lines) for port, heads in arrived.items() for lines in heads):
        if not any(comparison.explains(port, lines) for comparison in comparisons):
            explained = ["\n".join(head) for comparison in comparisons for heads in comparison.forms.values() for head in heads]
            test.fail("%s\nreached an origin; explained were\n%s" % ("\n".join(lines), "\n\n".join(explained[:20])))
