"""Who the client is: what nobody vouches for changes no decision, and what a trusted proxy says does."""
import re

import harness

SPOOFED = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"), ("X-Forwarded-Port", "1"),
           ("Forwarded", "for=6.6.6.6;proto=https"), ("X-Real-IP", "6.6.6.6")]


class Client(harness.TestCase):
    def front(self, *stages, trusted=None, **config):
        self.backend = self.origin()
        self.settings = {"use": list(stages), "upstreams": {"origin": {"endpoints": [self.backend.address]}},
                         "routes": [{"prefix": "/", "forward": "origin"}], **config}
        return self.gateway(self.listening(trusted))

    def listening(self, trusted):
        """The settings with a listener that trusts these networks."""
        listener = {"address": "127.0.0.1:0", **({"trusted": trusted} if trusted else {})}
        return {"listen": [listener], **self.settings}

    def seen(self, name):
        return self.backend.requests[-1].get(name)

    def test_a_filter_looks_at_the_peer_whatever_it_says(self):
        for stage, status in (({"deny": ["127.0.0.0/8"]}, 403), ({"allow": ["6.6.6.6"]}, 403), ({"deny": ["6.6.6.6"]}, 200), ({"allow": "127.0.0.1"}, 200)):
            with self.subTest(stage=stage):
                client = self.client(self.front({"ip_filter": stage}))
                for fields in ((), SPOOFED):
                    response = client.request(fields=fields)
                    self.assertEqual(response.status, status)
                    if status == 403:
                        self.assert_message(response, 403, "this client is not allowed here")

    def test_a_limit_counts_the_peer_whatever_it_says(self):
        gw = self.front({"rate_limit": {"rate": 5, "per": "1h"}})
        for n in range(10):
            response = self.ask(gw, fields=[("X-Forwarded-For", "6.6.6.%d" % n), ("Forwarded", "for=6.6.7.%d" % n)])
            self.assertEqual(response.status, 200 if n < 5 else 429)
            self.assertEqual((response.get("ratelimit-limit"), response.get("ratelimit-remaining")), ("5", str(max(4 - n, 0))))
        self.assert_message(response, 429, "too many requests; try again later")
        # The first is earned back after 720 seconds.
        self.assertLessEqual(int(response.get("retry-after")), 720)
        self.assertGreater(int(response.get("retry-after")), 600)
        self.assertEqual(len(self.backend.requests), 5)

    def test_log_upstream_and_id_know_the_peer_alone(self):
        log = self.directory / "access.log"
        client = self.client(self.front("request_id", {"access_log": {"file": str(log)}}))
        response = client.request(fields=[*SPOOFED, ("X-Request-Id", "mine")])
        self.assertNotEqual(response.get("x-request-id"), "mine")
        self.assertEqual([self.seen("x-forwarded-" + name) for name in ("for", "proto", "host")], ["127.0.0.1", "http", "test.example"])
        self.assertIsNone(self.seen("forwarded"))
        self.assertTrue(harness.eventually(lambda: log.read_text().count("\n") == 1))
        self.assertRegex(log.read_text(), r"^127\.0\.0\.1 ")

    def test_a_trusted_proxy_says_who_the_client_is(self):
        log = self.directory / "access.log"
        gw = self.front("request_id", {"access_log": {"file": str(log)}}, {"ip_filter": {"deny": ["192.0.2.66"]}}, {"rate_limit": {"rate": 2, "per": "1h"}},
                        trusted=["127.0.0.0/8", "10.0.0.0/8"])
        client = self.client(gw)

        def ask(*fields):
            return client.request(fields=fields).status

        response = client.request(fields=[("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.3"), ("X-Forwarded-Proto", "https"), ("X-Request-Id", "of-the-proxy")])
        self.assertEqual((response.status, response.get("x-request-id")), (200, "of-the-proxy"))
        self.assertEqual((self.seen("x-forwarded-for"), self.seen("x-forwarded-proto")), ("6.6.6.6, 192.0.2.7, 10.0.0.3, 127.0.0.1", "https"))
        self.assertEqual((self.seen("x-forwarded-port"), self.seen("x-request-id")), (None, "of-the-proxy"))
        # The same client by another way, then one too many, then others.
        self.assertEqual([ask(("Forwarded", 'for="192.0.2.7:4711"')), ask(("X-Forwarded-For", "192.0.2.7")), ask(("X-Forwarded-For", "192.0.2.8"))], [200, 429, 200])
        self.assertEqual(ask(("X-Forwarded-For", "192.0.2.66")), 403)
        self.assertEqual(ask(("X-Forwarded-For", "192.0.2.66, nonsense")), 200)
        self.assertTrue(harness.eventually(lambda: log.read_text().count("\n") == 6))
        self.assertEqual([line.split()[0] for line in log.read_text().splitlines()], ["192.0.2.7"] * 3 + ["192.0.2.8", "192.0.2.66", "127.0.0.1"])

    def test_a_reload_changes_whom_open_connections_belong_to(self):
        gw = self.front({"ip_filter": {"deny": ["192.0.2.66"]}})
        client = self.client(gw)
        ask = lambda: client.request(fields=[("X-Forwarded-For", "192.0.2.66")]).status
        self.assertEqual(ask(), 200)
        for trusted, status in ((["127.0.0.1"], 403), (["10.0.0.0/8"], 200), (["127.0.0.0/8", "::1"], 403), (None, 200)):
            gw.reload(self.listening(trusted))
            self.assertEqual(ask(), status, trusted)
        self.assertEqual(len(re.findall("listening on", gw.text())), 1)

    def test_a_limit_counts_on_through_reloads(self):
        gw = self.front({"rate_limit": {"rate": 4, "per": "1h"}})
        statuses = []
        for _ in range(6):
            statuses.append(self.ask(gw).status)
            gw.reload(self.listening(None))
        self.assertEqual(statuses, [200] * 4 + [429] * 2)

    def test_a_limit_by_key_counts_each_key(self):
        gw = self.front({"rate_limit": {"rate": 1, "per": "1h", "by": {"header": "x-api-key"}}})
        keys = ["a", "A", "\xe9", "x" * 8000]
        for status in (200, 429):
            self.assertEqual([self.ask(gw, fields=[("X-API-Key", key)]).status for key in keys], [status] * len(keys))
        # Without a key it is the client's address.
        self.assertEqual([self.ask(gw).status, self.ask(gw, fields=[("X-API-Key", "")]).status], [200, 429])


if __name__ == "__main__":
    harness.main()
