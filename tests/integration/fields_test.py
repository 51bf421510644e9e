"""Header fields and targets on their way through the gateway."""
import re
from email.utils import parsedate_to_datetime

import harness


class Fields(harness.TestCase):
    def front(self, answer=harness.origin.reply_ok, route=None, **config):
        self.backend = self.origin(answer)
        self.gw = self.in_front_of(self.backend, route=route or {}, **config)
        return self.client(self.gw)

    def seen(self):
        """The last request that reached the origin."""
        return self.backend.requests[-1]

    def test_hop_by_hop_fields_of_a_request_end_at_the_gateway(self):
        client = self.front()
        client.request(fields=[("Connection", "keep-alive, X-Mine, x-other"), ("X-Mine", "1"), ("X-Other", "2"), ("X-Kept", "3"),
                               ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "gzip"), ("Upgrade", "h2c"),
                               ("HTTP2-Settings", "x"), ("Proxy", "http://evil")])
        names = {name.lower() for name, _ in self.seen().fields}
        self.assertEqual(names, {"host", "x-kept", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"})

    def test_what_connection_may_not_name_stays(self):
        client = self.front()
        client.request("POST", fields=[("Connection", "close, Host, Content-Length, X-Forwarded-For, Via")], body=b"content")
        self.assertEqual(self.seen().body, b"content")
        self.assertEqual((self.seen().get("host"), self.seen().get("x-forwarded-for")), (self.backend.address, "127.0.0.1"))

    def test_hop_by_hop_fields_of_a_response_end_at_the_gateway(self):
        client = self.front(lambda _, peer: peer.reply(fields=[("Connection", "keep-alive, X-Mine"), ("X-Mine", "1"), ("X-Kept", "2"),
                                                               ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "x"), ("Upgrade", "h2c")]))
        response = client.request()
        self.assertEqual({name.lower() for name, _ in response.fields}, {"x-kept", "content-length", "date"})

    def test_the_upstream_learns_who_asked_and_for_what(self):
        client = self.front()
        client.request(fields=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"),
                               ("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/evil"), ("X-Forwarded-User", "root"),
                               ("X-Forwarded-Ssl", "on"), ("Forwarded", "for=6.6.6.6")])
        request = self.seen()
        self.assertEqual([request.get("x-forwarded-" + name) for name in ("for", "proto", "host", "port", "prefix", "user", "ssl")],
                         ["127.0.0.1", "http", "test.example", str(self.gw.port), None, None, None])
        self.assertIsNone(request.get("forwarded"))

    def test_what_a_stage_says_about_the_client_goes_on(self):
        client = self.front(use=[{"headers": {"request": {"set": {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/shop"}}}}])
        client.request(fields=[("X-Forwarded-Proto", "evil"), ("X-Forwarded-Prefix", "/evil"), ("X-Forwarded-For", "6.6.6.6")])
        request = self.seen()
        self.assertEqual([request.fields.all("x-forwarded-" + name) for name in ("for", "proto", "host", "prefix")],
                         [["127.0.0.1"], ["https"], ["test.example"], ["/shop"]])

    def test_via_names_the_gateway_after_the_others(self):
        client = self.front()
        client.request(fields=[("Via", "1.0 first, 1.1 second (a comment)")])
        self.assertRegex(", ".join(self.seen().fields.all("via")), r"^1\.0 first, 1\.1 second \(a comment\), 1\.1 gw-[0-9a-f]{8}$")

    def test_a_route_that_leads_back_to_the_gateway_gives_508(self):
        port = harness.free_port()
        gw = self.gateway({"listen": ["127.0.0.1:%d" % port], "routes": [{"prefix": "/", "forward": "http://127.0.0.1:%d" % port}]})
        self.assert_message(self.ask(gw), 508, "the request came back to this gateway; check where its route forwards to")

    def test_two_gateways_in_a_row_are_no_loop(self):
        self.front()
        outer = self.gateway({"routes": [{"prefix": "/", "forward": "http://127.0.0.1:%d" % self.gw.port}]})
        self.assertEqual(self.ask(outer).status, 200)
        self.assertEqual(len(self.seen().fields.all("via")), 2)

    def test_trace_and_options_pass_as_many_gateways_as_they_may(self):
        client = self.front()
        cases = [  # method, Max-Forwards, status, what reaches the origin
            ("OPTIONS", "2", 200, "1"), ("OPTIONS", "0", 204, None), ("TRACE", "1", 200, "0"), ("TRACE", "00", 501, None),
            ("GET", "0", 200, "0"), ("OPTIONS", "many", 200, "many"), ("OPTIONS", "99999999999", 200, "99999999999"),
        ]
        for method, most, status, left in cases:
            with self.subTest(method=method, most=most):
                before = len(self.backend.requests)
                self.assertEqual(client.request(method, fields=[("Max-Forwards", most)]).status, status)
                self.assertEqual([r.get("max-forwards") for r in self.backend.requests[before:]], [left] if left else [])

    def test_options_of_no_path_asks_the_gateway_itself(self):
        client = self.front()
        self.assertEqual(client.request("OPTIONS", target="*").status, 204)
        self.assertEqual(self.backend.requests, [])

    def test_a_426_says_what_to_upgrade_to(self):
        upgrade = [("Connection", "upgrade"), ("Upgrade", "websocket")]
        client = self.front(lambda _, peer: peer.reply(status="426 Upgrade Required", fields=[("Connection", "upgrade"), ("Upgrade", "TLS/1.2")]))
        response = client.request()
        self.assertEqual((response.status, response.get("connection"), response.get("upgrade")), (426, "upgrade", "TLS/1.2"))
        # Versions of WebSocket that never became a standard end at the gateway.
        for version, upgrade_to in [("13", "TLS/1.2"), ("99", "websocket"), ("13, 8", "websocket"), ("", "websocket")]:
            with self.subTest(version=version):
                before = len(self.backend.requests)
                response = client.request(fields=upgrade + [("Sec-WebSocket-Version", version)])
                self.assertEqual((response.status, response.get("upgrade")), (426, upgrade_to))
                self.assertEqual(len(self.backend.requests) - before, upgrade_to != "websocket")
        self.assert_message(response, 426, "the supported version of WebSocket is 13")
        self.assertEqual(response.get("sec-websocket-version"), "13")

    def test_the_host_is_the_upstream_s_unless_preserved(self):
        client = self.front()
        client.request()
        self.assertEqual(self.seen().get("host"), self.backend.address)
        client = self.front(route={"preserve_host": True})
        client.request()
        self.assertEqual(self.seen().get("host"), "test.example")

    def test_an_absolute_target_overrules_the_host(self):
        client = self.front(route={"preserve_host": True, "host": "real.example"})
        response = client.request(target="http://real.example/x?y=1")
        self.assertEqual(response.status, 200)
        self.assertEqual((self.seen().target, self.seen().get("host")), ("/x?y=1", "real.example"))

    def test_prefixes_are_stripped_and_bases_put_before(self):
        cases = [  # base, strip_prefix, asked, forwarded
            ("/", False, "/api/x?q=1", "/api/x?q=1"),
            ("/", True, "/api/x?q=1", "/x?q=1"),
            ("/", True, "/api", "/"),
            ("/", True, "/api/", "/"),
            ("/v1", False, "/api/x", "/v1/api/x"),
            ("/v1/", True, "/api/x", "/v1/x"),
            ("/v1", True, "/api?", "/v1?"),
            ("/", False, "/api//a/./b/../c", "/api/a/c"),
            ("/", False, "/%61pi/%2F%7e%c3%a9", "/api/%2F~%C3%A9"),
            ("/", True, "/x/../api/y", "/y"),
        ]
        for base, strip, asked, forwarded in cases:
            with self.subTest(base=base, strip=strip, asked=asked):
                client = self.front(route={"prefix": "/api", "strip_prefix": strip}, upstream={"base_path": base})
                self.assertEqual(client.request(target=asked).status, 200)
                self.assertEqual(self.seen().target, forwarded)

    def test_date_is_added_where_it_is_missing(self):
        client = self.front()
        self.assertIsNotNone(parsedate_to_datetime(client.request().get("date")))
        self.assertIsNotNone(parsedate_to_datetime(client.request("DELETE", "/nowhere").get("date")))
        own = "Sun, 06 Nov 1994 08:49:37 GMT"
        client = self.front(lambda _, peer: peer.reply(fields=[("Date", own)]))
        self.assertEqual(client.request().get("date"), own)

    def test_end_to_end_fields_pass_unchanged_and_in_order(self):
        many = [("X-%d" % (n % 7), "value %d; q=\"é\"" % n) for n in range(60)]
        client = self.front(lambda _, peer: peer.reply(fields=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Server", "origin")]))
        response = client.request(fields=many)
        self.assertEqual([f for f in self.seen().fields if f[0].startswith("X-") and not f[0].startswith("X-F")], many)
        self.assertEqual((response.fields.all("set-cookie"), response.get("server")), (["a=1", "b=2"], "origin"))

    def test_a_request_id_is_the_same_on_both_sides_and_the_gateway_s_own(self):
        client = self.front(use=["request_id"])
        ids = set()
        for _ in range(20):
            response = client.request(fields=[("X-Request-Id", "mine")])
            self.assertEqual(response.get("x-request-id"), self.seen().get("x-request-id"))
            self.assertRegex(response.get("x-request-id"), re.compile(r"^[0-9a-zA-Z-]{16,}$"))
            ids.add(response.get("x-request-id"))
        self.assertEqual(len(ids), 20)

    def test_the_headers_stage_edits_both_messages(self):
        stage = {"headers": {"request": {"set": {"X-Tenant": "blue"}, "add": {"X-Many": ["b", "c"]}, "remove": ["X-Secret"]},
                             "response": {"set": {"X-Frame-Options": "DENY"}, "remove": ["Server"]}}}
        client = self.front(lambda _, peer: peer.reply(fields=[("Server", "origin"), ("X-Frame-Options", "ALLOW")]), use=[stage])
        response = client.request(fields=[("X-Tenant", "red"), ("X-Tenant", "green"), ("X-Many", "a"), ("X-Secret", "s")])
        self.assertEqual((self.seen().get("x-tenant"), self.seen().get("x-secret")), ("blue", None))
        self.assertEqual(self.seen().fields.all("x-many"), ["a", "b", "c"])
        self.assertEqual((response.get("x-frame-options"), response.get("server")), ("DENY", None))

    def test_stages_of_the_gateway_see_what_is_no_route(self):
        gw = self.gateway({"routes": [{"path": "/only", "forward": "http://127.0.0.1:1"}],
                           "use": ["request_id", {"headers": {"response": {"set": {"X-Seen": "yes"}}}}]})
        for target, status in (("/other", 404), ("/only", 502)):
            response = self.ask(gw, target=target)
            self.assertEqual((response.status, response.get("x-seen")), (status, "yes"))
            self.assertIsNotNone(response.get("x-request-id"))

    def test_routes_are_told_apart_by_host_method_header_and_query(self):
        more = {"plain": {}, "host": {"host": "a.example.com"}, "wild": {"host": "*.example.com"}, "post": {"methods": "POST"},
                "header": {"headers": {"x-version": "2"}}, "query": {"query": {"debug": "*"}}}
        # Each route forwards to its own name.
        backend = self.origin(lambda request, peer: peer.reply(request.target.split("?")[0].encode()))
        routes = [{"name": name, "prefix": "/", "forward": "%s/%s" % (backend.url, name), **tests} for name, tests in more.items()]
        gw = self.gateway({"routes": routes})
        client = self.client(gw)

        def asked(host="x", method="GET", target="/", field=""):
            client.send("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, target, host, field))
            return client.read().body.decode().strip("/")

        self.assertEqual(asked(), "plain")
        self.assertEqual(asked("a.example.com"), "host")
        self.assertEqual(asked("b.example.com:8000"), "wild")
        self.assertEqual(asked(method="POST"), "post")
        self.assertEqual(asked(field="X-Version: 2\r\n"), "header")
        self.assertEqual(asked(target="/?debug"), "query")


if __name__ == "__main__":
    harness.main()
