"""key_auth, basic_auth and cors together: what reaches the upstream, what the client sees, what is logged."""
import base64
import hashlib
import json

import harness

ORIGIN = "https://app.example"
# Of "secret", as `openssl passwd -6` writes it.
SECRET = "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."
# Of nothing that is known; to compute it takes a while.
SLOW = "$6$rounds=200000$abcdefgh$" + "." * 86


def digest(key):
    return hashlib.sha256(key.encode()).hexdigest()


def basic(name, password):
    return ("Authorization", "Basic " + base64.b64encode(("%s:%s" % (name, password)).encode()).decode())


class Auth(harness.TestCase):
    def front(self, *stages, route=None, **config):
        self.backend = self.origin(lambda _, peer: peer.reply(fields=[("Access-Control-Allow-Origin", "*"), ("Vary", "Accept")]))
        self.log = self.directory / "access.log"
        log = {"access_log": {"file": str(self.log), "format": "json", "fields": ["target", "status", "consumer", "failure", "duration"]}}
        self.gw = self.in_front_of(self.backend, use=[log, *stages], route=route or {}, **config)
        return self.client(self.gw)

    def seen(self):
        return self.backend.requests[-1]

    def logged(self, count):
        """The lines of the log, once there are so many."""
        self.assertTrue(harness.eventually(lambda: self.log.read_text().count("\n") >= count))
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def test_the_upstream_learns_the_consumer_and_not_the_key(self):
        keys = {"keys": {"alice": digest("k1"), "bob": [digest("k2"), digest("k3")]}, "header": "X-Key", "query": "key", "bearer": True}
        client = self.front({"key_auth": keys})
        forged = [("X-Consumer", "root"), ("x_consumer", "root"), ("Accept", "*/*")]
        cases = [  # target, fields, what is forwarded, consumer
            ("/a?x=1", [("x-key", "k1")], "/a?x=1", "alice"),
            ("/a?x=1&key=k2&y", [], "/a?x=1&y", "bob"),
            ("/a?%6bey=k2", [], "/a", "bob"),
            ("/a", [("Authorization", "Bearer k3")], "/a", "bob"),
            # Connection names what the client sent, and nothing that the gateway adds.
            ("/a", [("X-Key", "k1"), ("Connection", "x-consumer")], "/a", "alice"),
        ]
        for target, fields, forwarded, consumer in cases:
            with self.subTest(target=target, fields=fields):
                self.assertEqual(client.request(target=target, fields=fields + forged).status, 200)
                names = [name.lower() for name, _ in self.seen().fields]
                self.assertEqual(self.seen().target, forwarded)
                self.assertEqual(self.seen().fields.all("x-consumer"), [consumer])
                self.assertEqual(self.seen().get("accept"), "*/*")
                self.assertFalse({"x-key", "authorization", "x_consumer"} & set(names))
        self.assertEqual([(line["target"], line["consumer"]) for line in self.logged(len(cases))],
                         [(forwarded, consumer) for _, _, forwarded, consumer in cases])

    def test_nobody_passes_without_one_right_key(self):
        client = self.front({"key_auth": {"keys": {"alice": digest("k1")}, "header": "X-Key", "query": "key", "realm": "orders"}})
        cases = [("/", []), ("/", [("X-Key", "k2")]), ("/", [("X-Key", "")]), ("/", [("X-Key", "k1"), ("X-Key", "k1")]), ("/?key=k2", []),
                 ("/?key=k1&key=k1", []), ("/?key=k1", [("X-Key", "k1")]), ("/", [("X-Key", "\xe9" * 4000)]), ("/", [("X-Consumer", "alice")])]
        for target, fields in cases:
            with self.subTest(target=target, fields=fields[:1]):
                response = client.request(target=target, fields=fields)
                self.assert_message(response, 401)
                self.assertEqual(response.get("www-authenticate"), 'Key realm="orders"')
        self.assertEqual(self.backend.requests, [])
        lines = self.logged(len(cases))
        self.assertTrue(all(line["target"] == "/" and line["consumer"] is None for line in lines))
        self.assertEqual({line["failure"] for line in lines}, {"unauthorized"})

    def test_a_password_lets_pass_and_stays_at_the_gateway(self):
        client = self.front({"basic_auth": {"users": {"alice": SECRET}, "realm": "orders"}})
        for _ in range(3):
            response = client.request("POST", fields=[basic("alice", "secret"), ("X-Consumer", "root")], body=b"content")
            self.assertEqual(response.status, 200)
            self.assertEqual((self.seen().get("x-consumer"), self.seen().get("authorization"), self.seen().body), ("alice", None, b"content"))
        for fields in ([], [basic("alice", "wrong")], [basic("mallory", "secret")], [("Authorization", "Basic !")], [("Authorization", "Bearer x")]):
            response = client.request(fields=fields)
            self.assert_message(response, 401)
            self.assertEqual(response.get("www-authenticate"), 'Basic realm="orders", charset="UTF-8"')
        self.assertEqual(len(self.backend.requests), 3)
        self.assertEqual(self.curl("-u", "alice:secret", "-w", "%{http_code}", "http://127.0.0.1:%d/" % self.gw.port), b"ok200")

    def test_a_reload_takes_passwords_and_keys_away(self):
        users, keys = self.directory / "users", self.directory / "keys"
        users.write_text("# users\nalice:%s\n" % SECRET)
        keys.write_text("%s alice\n" % digest("k1"))
        client = self.front(route={"prefix": "/basic", "use": [{"basic_auth": {"users_file": str(users)}}]})
        config = {**self.gw.config, "routes": self.gw.config["routes"] + [
            {"prefix": "/key", "forward": "origin", "use": [{"key_auth": {"keys_file": str(keys)}}]}]}

        def statuses():
            return (client.request(target="/basic", fields=[basic("alice", "secret")]).status,
                    client.request(target="/key", fields=[("X-Api-Key", "k1")]).status)

        self.gw.reload(config)
        self.assertEqual(statuses(), (200, 200))
        keys.write_text("%s alice\nnonsense\n" % digest("k2"))
        self.gw.signal(harness.signal.SIGHUP)
        self.gw.wait_log(r"keys:2:1: routes\[1\].*expected the SHA-256 of a key")
        self.assertEqual(statuses(), (200, 200))
        users.write_text("bob:%s\n" % SECRET)
        keys.write_text("%s alice\n" % digest("k2"))
        self.gw.reload(config)
        self.assertEqual(statuses(), (401, 401))
        self.assertNotIn("nonsense", self.gw.text())

    def test_verifications_that_are_too_many_are_shed(self):
        self.front({"basic_auth": {"users": {"alice": SLOW}, "verifications": 1}})
        clients = [self.client(self.gw) for _ in range(8)]
        for n, client in enumerate(clients):
            client.ask(fields=[basic("alice", "guess %d" % n)])
        responses = [client.read() for client in clients]
        self.assertEqual({r.status for r in responses}, {401, 503})
        self.assertEqual({r.get("retry-after") for r in responses if r.status == 503}, {"1"})
        self.assertEqual(self.backend.requests, [])

    def test_a_browser_gets_its_answers_before_it_authenticates(self):
        client = self.front({"cors": {"origins": [ORIGIN], "headers": ["x-api-key"], "expose": ["x-total"], "credentials": True, "max_age": "10m"}},
                            {"key_auth": {"keys": {"alice": digest("k1")}}}, route={"methods": ["GET", "PUT"]})
        origin = ("Origin", ORIGIN)
        preflight = client.request("OPTIONS", fields=[origin, ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-api-key")])
        self.assertEqual((preflight.status, preflight.body), (204, b""))
        self.assertEqual({name.lower(): value for name, value in preflight.fields if name.lower() != "date"}, {
            "access-control-allow-origin": ORIGIN, "access-control-allow-credentials": "true", "access-control-allow-headers": "x-api-key",
            "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE", "access-control-max-age": "600", "vary": "Origin"})
        self.assertEqual(self.backend.requests, [])
        for method, fields, status in (("GET", [("X-Api-Key", "k1")], 200), ("GET", [], 401), ("DELETE", [("X-Api-Key", "k1")], 405)):
            response = client.request(method, fields=[origin, *fields])
            self.assertEqual(response.status, status)
            self.assertEqual(response.fields.all("access-control-allow-origin"), [ORIGIN])
            self.assertIn("Origin", response.fields.all("vary"))
        self.assertEqual([r.get("origin") for r in self.backend.requests], [ORIGIN])
        self.assertIsNone(client.request(fields=[("Origin", "https://evil.example"), ("X-Api-Key", "k1")]).get("access-control-allow-origin"))

    def test_a_route_of_one_method_answers_its_preflights(self):
        client = self.front(route={"methods": "GET", "use": [{"cors": {"origins": "*"}}]})
        fields = [("Origin", ORIGIN), ("Access-Control-Request-Method", "GET")]
        response = client.request("OPTIONS", fields=fields)
        self.assertEqual((response.status, response.get("access-control-allow-origin")), (204, "*"))
        self.assert_message(client.request("OPTIONS", fields=fields[:1]), 405)
        self.assertEqual(client.request(fields=fields[:1]).get("access-control-allow-origin"), "*")
        self.assertEqual(len(self.backend.requests), 1)


if __name__ == "__main__":
    harness.main()
