"""Metrics and the admin listener: the numbers are those of the access log, and they outlive a reload."""
import collections
import json
import re
import signal
import subprocess
import threading

import harness

SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')
LABEL = harness.LABEL
COMBINED = re.compile(r'\S+ - \S+ \[[^]]*\] "[A-Z]+ (\S+) HTTP/1\.[01]" (\d{3}) (\d+) "[^"]*" "[^"]*"')
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Numbers:
    """What /metrics said: values by name and labels."""

    def __init__(self, text):
        self.text, self.values = text, {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.fullmatch(line).groups()
            key = (name, frozenset(LABEL.findall(labels or "")))
            assert key not in self.values, "twice: " + line
            self.values[key] = float(value)

    def __call__(self, name, **labels):
        """The sum of the samples of that name that have these labels."""
        return sum(value for (n, l), value in self.values.items() if n == name and l >= set(labels.items()))

    def by(self, name, *labels):
        """The samples that are not 0, by the values of labels."""
        sums = collections.Counter()
        for (n, l), value in self.values.items():
            if n == name and value:
                sums[tuple(dict(l)[label] for label in labels)] += value
        return dict(sums)


class MetricsCase(harness.TestCase):
    def gateway(self, config):
        gw = super().gateway({"admin": {"listen": "127.0.0.1:0"}, **config})
        gw.admin = int(gw.wait_log(r"admin listener on .*:(\d+)$")[1])
        return gw

    def admin(self, gw, path, method="GET", **options):
        with harness.wire.Client(gw.admin) as client:
            return client.request(method, path, **options)

    def numbers(self, gw):
        return Numbers(self.admin(gw, "/metrics").body.decode())

    def settled(self, gw, requests):
        """The numbers, once so many requests have ended: their last bytes come before that."""
        found = []

        def are_counted():
            found[:] = [self.numbers(gw)]
            return found[0]("gw_requests_total") >= requests and found[0]("gw_requests_in_flight") == 0

        self.assertTrue(harness.eventually(are_counted), found[0].text)
        return found[0]


class Metrics(MetricsCase):
    limit = 120

    def test_the_numbers_agree_with_the_access_log(self):
        log = self.directory / "access.log"

        def answer(request, peer):
            if request.target.startswith("/a/cut"):
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                return False
            if request.target.startswith("/a/drop"):
                return False
            number = int(re.search(r"\d*$", request.target)[0] or 0)
            status = {0: "404 Not Found", 1: "500 Oops"}.get(number % 5, "200 OK")
            peer.reply(b"x" * number, status)

        origin = self.origin(answer)
        gw = self.gateway({
            "use": [{"access_log": {"file": str(log)}}],
            "upstreams": {"up": [origin.address], "gone": ["127.0.0.1:%d" % harness.free_port()]},
            "routes": [{"name": "a", "prefix": "/a", "forward": "up"}, {"name": "b \"quoted\" \\", "prefix": "/b", "forward": "up"},
                       {"prefix": "/gone", "forward": "gone"}, {"path": "/only", "methods": ["PUT"], "forward": "up"}]})
        sent = collections.Counter()

        def ask(number):
            with harness.wire.Client(gw.port) as client:
                for i in range(60):
                    kind = (number * 7 + i) % 10
                    target = ["/a/%d" % i, "/b/%d" % i, "/gone", "/none", "/only", "/a/%%00", "/a/x/%d" % (i * 100)][kind % 7]
                    body = b"y" * i if kind == 6 else None
                    client.request("POST" if body else "GET", target, body=body)
                    sent["requests"] += 1
                    sent["bytes"] += len(body or b"")

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for target in ("/a/cut", "/a/drop"):
            with harness.wire.Client(gw.port) as client:
                client.ask(target=target)
                try:
                    client.read()
                except harness.wire.Cut:
                    pass
            sent["requests"] += 1
        for head in ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "NONSENSE\r\n\r\n", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"):
            with harness.wire.Client(gw.port) as client:
                client.send(head)
                self.assertGreaterEqual(client.read().status, 400)

        numbers = self.settled(gw, sent["requests"])
        self.assertIsNone(gw.finish())
        route_of = {"a": "a", "b": 'b \\"quoted\\" \\\\', "gone": "/gone"}
        counted, sent_bytes = collections.Counter(), collections.Counter()
        for line in log.read_text().splitlines():
            target, status, size = COMBINED.fullmatch(line).groups()
            first = target.split("/")[1]
            route = "" if "%00" in target else route_of.get(first, "")
            counted[(route, status)] += 1
            sent_bytes[(route,)] += int(size)
        self.assertEqual(numbers.by("gw_requests_total", "route", "status"), dict(counted))
        self.assertEqual(sum(counted.values()), sent["requests"])
        self.assertEqual(numbers.by("gw_response_body_bytes_total", "route"), {k: v for k, v in sent_bytes.items() if v})
        self.assertEqual(numbers("gw_request_body_bytes_total"), sent["bytes"])
        self.assertEqual(numbers("gw_request_duration_seconds_count"), sent["requests"])
        self.assertEqual(numbers("gw_request_duration_seconds_bucket", le="+Inf"), sent["requests"])
        # Failures of upstreams, those behind a head of 200 included, and of the gateway itself.
        failures = numbers.by("gw_request_failures_total", "error")
        self.assertEqual(failures[("upstream_reset",)], 2)
        self.assertEqual(failures[("connect_failed",)], counted[("/gone", "502")])
        self.assertEqual(failures[("no_route",)], counted[("", "404")])
        self.assertEqual(failures[("method_not_allowed",)], counted[("", "405")])
        self.assertEqual(failures[("bad_path",)], counted[("", "400")])
        self.assertEqual(numbers.by("gw_refused_requests_total", "error"), {("bad_host",): 1, ("bad_request_line",): 1, ("unknown_method",): 1})
        # What reached the upstream, and how. A connection that breaks without an answer may have been stale: gw asks once more.
        calls = sum(request.target != "/a/drop" for request in origin.requests) + 1
        self.assertEqual(numbers("gw_upstream_requests_total", upstream="up"), calls)
        self.assertEqual(numbers("gw_upstream_requests_total", upstream="up", outcome="5xx"), counted[("a", "500")] + counted[(route_of["b"], "500")])
        self.assertEqual(numbers("gw_upstream_requests_total", upstream="up", outcome="upstream_reset"), 1)
        self.assertEqual(numbers("gw_upstream_response_head_seconds_count", upstream="up"), calls - 1)
        self.assertEqual(numbers("gw_upstream_connections_opened_total", upstream="up"), origin.connections)
        self.assertEqual(numbers("gw_upstream_connection_failures_total", upstream="gone", error="connect_failed"), counted[("/gone", "502")])
        self.assertEqual(numbers("gw_workers"), 2)

    def test_a_wrk_run_is_counted_to_the_last_request(self):
        log = self.directory / "access.log"
        backend = self.origin()
        gw = self.gateway({"use": [{"access_log": {"file": str(log)}}], "upstreams": {"origin": [backend.address]},
                           "routes": [{"prefix": "/", "forward": "origin"}]})
        harness.Wrk(gw.port, "/", 32, seconds=1).result()
        self.assertTrue(harness.eventually(lambda: self.numbers(gw)("gw_connections_open") == 0))
        numbers = self.numbers(gw)
        self.assertEqual(numbers("gw_requests_in_flight"), 0)
        self.assertGreaterEqual(numbers("gw_connections_accepted_total"), 32)  # wrk begins with one more
        self.assertEqual(numbers("gw_upstream_connections_opened_total"), backend.connections)
        self.assertIsNone(gw.finish())
        lines = [COMBINED.fullmatch(line).groups() for line in log.read_text().splitlines()]
        self.assertEqual(numbers.by("gw_requests_total", "status"),
                         {(status,): count for status, count in collections.Counter(status for _, status, _ in lines).items()})
        self.assertEqual(numbers("gw_response_body_bytes_total"), sum(int(size) for _, _, size in lines))

    def test_promtool_accepts_both_formats(self):
        promtool = harness.need("promtool")
        gw = self.in_front_of(self.origin())
        for target in ("/", "/x"):
            self.ask(gw, target=target)
        self.settled(gw, 2)
        response = self.admin(gw, "/metrics")
        self.assertEqual(response.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
        done = subprocess.run([promtool, "check", "metrics"], input=response.body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        response = self.admin(gw, "/metrics", fields=[("Accept", OPENMETRICS)])
        self.assertEqual(response.get("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8")
        text = response.body.decode()
        self.assertTrue(text.endswith("\n# EOF\n"))
        self.assertIn("# TYPE gw_requests counter\ngw_requests_total{", text)
        self.assertIn("# TYPE gw_build info\ngw_build_info{", text)

    def test_counters_survive_a_reload_and_removed_routes_leave(self):
        origin = self.origin()
        routes = [{"name": name, "prefix": "/" + name, "forward": name} for name in ("stays", "goes")]
        config = {"upstreams": {"stays": [origin.address], "goes": [origin.address]}, "routes": routes}
        gw = self.gateway(config)
        for name in ("stays", "goes"):
            self.ask(gw, target="/" + name)
        before = self.settled(gw, 2)
        self.assertEqual(before("gw_config_version"), 1)
        gw.reload({**gw.config, "upstreams": {"stays": [origin.address]}, "routes": routes[:1]})
        self.ask(gw, target="/stays")
        after = self.settled(gw, 2)
        self.assertEqual(after("gw_requests_total", route="stays"), 2)
        self.assertEqual(after("gw_upstream_requests_total", upstream="stays"), 2)
        self.assertNotIn('route="goes"', after.text)
        self.assertEqual((after("gw_config_version"), after("gw_config_last_reload_successful")), (2, 1))
        gw.file.write_text("{}")
        gw.signal(signal.SIGHUP)
        gw.wait_log("reload failed")
        broken = self.numbers(gw)
        self.assertEqual((broken("gw_config_version"), broken("gw_config_last_reload_successful")), (2, 0))
        self.assertEqual(broken("gw_requests_total", route="stays"), 2)
        self.assertGreaterEqual(after("gw_config_last_reload_success_timestamp_seconds"), before("gw_config_last_reload_success_timestamp_seconds"))
        self.assertGreaterEqual(after("gw_config_last_reload_success_timestamp_seconds") + 1, after("process_start_time_seconds"))

    def test_connections_over_the_limit_are_counted(self):
        gw = self.gateway({"limits": {"connections": 1}, "routes": [{"prefix": "/", "forward": "http://127.0.0.1:1"}]})
        first = self.client(gw)
        self.assertTrue(harness.eventually(lambda: self.numbers(gw)("gw_connections_open") == 1))
        self.assertEqual(self.client(gw).read().status, 503)
        numbers = self.numbers(gw)
        self.assertEqual([numbers("gw_connections_" + name) for name in ("open", "accepted_total")], [1, 1])
        self.assertEqual(numbers.by("gw_limits_reached_total", "limit"), {("limits.connections",): 1})
        first.close()


class Admin(MetricsCase):
    def test_health_and_what_is_not_there(self):
        gw = self.gateway({"use": [{"headers": {"response": {"set": {"x-stage": "ran"}}}}], "routes": [{"prefix": "/", "forward": "http://127.0.0.1:1"}]})
        response = self.admin(gw, "/health")
        self.assertEqual((response.status, response.get("content-type"), response.body), (200, "application/json", b'{"status":"ok"}'))
        # The gateway's stages are not for this.
        self.assertIsNone(response.get("x-stage"))
        head = self.admin(gw, "/health", "HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assert_message(self.admin(gw, "/health", "POST"), 405)
        self.assert_message(self.admin(gw, "/"), 404)
        self.assert_message(self.admin(gw, "/config/x"), 404)
        # The gateway itself has none of it, and counts none of it.
        self.assertEqual(self.ask(gw, target="/health").status, 502)
        numbers = self.settled(gw, 1)
        self.assertEqual((numbers("gw_requests_total"), numbers("gw_connections_accepted_total")), (1, 1))

    def test_health_says_503_during_the_whole_drain(self):
        release = threading.Event()

        def answer(_, peer):
            release.wait(20)
            peer.reply(b"late")

        origin = self.origin(answer)
        gw = self.in_front_of(origin)
        client = self.client(gw)
        client.ask()
        self.assertTrue(origin.wait(lambda: origin.requests))
        gw.signal(signal.SIGTERM)
        self.assertTrue(harness.eventually(lambda: not harness.accepts(gw.port)))
        for _ in range(3):
            response = self.admin(gw, "/health")
            self.assertEqual((response.status, response.body), (503, b'{"status":"draining"}'))
        self.assertEqual(self.numbers(gw)("gw_requests_in_flight"), 1)
        self.assertEqual(self.admin(gw, "/config").status, 200)
        release.set()
        self.assertEqual(client.read().body, b"late")
        self.assertEqual(gw.wait(), 0)
        self.assertFalse(harness.accepts(gw.admin))

    def test_routes_and_config_show_what_is_active_without_secrets(self):
        secret, digest = "s3cr3t-7f", "5e" * 32
        config = {
            "limits": {"connections": 77},
            "use": ["request_id", {"headers": {"request": {"set": {"Authorization": "Bearer " + secret, "x-plain": "shown", "x-from": "http://u:%s@h/" % secret}}}}],
            "upstreams": {"users": {"endpoints": [{"address": "127.0.0.1:1", "weight": 2}], "timeouts": {"connect": "250ms"}}},
            "routes": [{"name": "user", "path": "/users/{id}", "methods": ["GET"], "host": "a.example", "headers": {"x-api-key": secret},
                        "query": {"token": secret, "page": "*"}, "forward": "users"},
                       {"prefix": "/kept", "forward": "users", "use": [{"key_auth": {"keys": {"alice": digest}, "header": "x-" + secret}}]},
                       {"prefix": "/foo", "strip_prefix": True, "forward": "http://127.0.0.1:2/base"}]}
        gw = self.gateway(config)
        response = self.admin(gw, "/config")
        self.assertEqual(response.get("content-type"), "application/json")
        self.assertNotIn(secret, response.body.decode())
        shown = json.loads(response.body)
        self.assertEqual(shown["limits"]["connections"], 77)
        self.assertEqual(shown["timeouts"]["drain"], "5s")
        self.assertEqual(shown["use"], ["request_id", {"headers": {"request": {"set": {
            "Authorization": "<masked>", "x-plain": "shown", "x-from": "http://<masked>@h/"}}}}])
        self.assertEqual(shown["upstreams"]["users"]["endpoints"], [{"address": "127.0.0.1:1", "weight": 2}])
        self.assertEqual(shown["upstreams"]["users"]["timeouts"]["connect"], "250ms")
        self.assertEqual(shown["routes"][0], {"name": "user", "path": "/users/{id}", "host": ["a.example"], "methods": ["GET"],
                                              "headers": {"x-api-key": "<masked>"}, "query": {"token": "<masked>", "page": "*"}, "forward": "users"})
        self.assertEqual(shown["routes"][1]["use"], [{"key_auth": {"keys": "<masked>", "header": "<masked>"}}])
        text = self.admin(gw, "/routes").body.decode()
        for hidden in (secret, digest, "alice"):
            self.assertNotIn(hidden, text)
            self.assertNotIn(hidden, response.body.decode())
        routes = json.loads(text)
        self.assertEqual([route["name"] for route in routes], ["user", "/kept", "/foo"])
        self.assertEqual(routes[2]["use"][0], "request_id")
        self.assertEqual((routes[2]["forward"], routes[2]["strip_prefix"]), ("http://127.0.0.1:2/base", True))
        gw.reload({**gw.config, "routes": config["routes"][2:]})
        self.assertEqual([route["name"] for route in json.loads(self.admin(gw, "/routes").body)], ["/foo"])

    def test_a_reload_moves_the_listener_and_removes_it(self):
        first, second = harness.free_port(), harness.free_port()
        routes = [{"prefix": "/", "forward": "http://127.0.0.1:1"}]
        gw = self.gateway({"admin": {"listen": "127.0.0.1:%d" % first}, "routes": routes})
        client = self.client(first)
        self.assertEqual(client.request(target="/health").status, 200)
        # What does not change stays as it is.
        gw.reload({**gw.config, "limits": {"connections": 5}})
        self.assertEqual(json.loads(client.request(target="/config").body)["limits"]["connections"], 5)
        gw.reload({**gw.config, "admin": {"listen": "127.0.0.1:%d" % second}})
        self.assertFalse(harness.accepts(first))
        self.assertEqual(self.client(second).request(target="/health").status, 200)
        gw.reload({"admin": None, "routes": routes})
        self.assertFalse(harness.accepts(second))
        self.assertEqual(self.ask(gw).status, 502)
        gw.reload({"admin": {"listen": "127.0.0.1:%d" % first}, "routes": routes})
        self.assertEqual(self.client(first).request(target="/health").status, 200)

    def test_a_listener_that_cannot_open_changes_nothing(self):
        taken = self.origin()
        gw = self.gateway({"routes": [{"prefix": "/", "forward": "http://127.0.0.1:1"}]})
        fresh = harness.free_port()
        gw.write({**gw.config, "listen": ["127.0.0.1:0", "127.0.0.1:%d" % fresh], "admin": {"listen": taken.address}, "limits": {"connections": 5}})
        gw.signal(signal.SIGHUP)
        gw.wait_log(r"gw\.json:\d+:\d+: admin\.listen: cannot listen on %s" % taken.address)
        self.assertFalse(harness.accepts(fresh))
        self.assertEqual(self.admin(gw, "/health").status, 200)
        self.assertEqual(json.loads(self.admin(gw, "/config").body)["limits"]["connections"], 10000)
        self.assertEqual(self.numbers(gw)("gw_config_last_reload_successful"), 0)


if __name__ == "__main__":
    harness.main()
