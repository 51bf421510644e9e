"""What routes do: the cases of tests/data/route_actions.json through a gateway that runs."""
import json
import threading

import harness

GROUPS = json.loads((harness.ROOT / "tests" / "data" / "route_actions.json").read_text())


def with_origin(value, address):
    """The configuration with the origin's address where it says ORIGIN, and where it says MAPPED ORIGIN with that as IPv6."""
    host, port = address.split(":")
    return json.loads(json.dumps(value).replace("MAPPED ORIGIN", "[::ffff:%s]:%s" % (host, port)).replace("ORIGIN", address))


def with_name(route):
    """The route, which tells its name to clients."""
    stage = {"headers": {"response": {"set": {"x-route": route["name"]}}}}
    return {**route, "use": [stage, *route.get("use", [])]}


class Actions(harness.TestCase):
    def group(self, about):
        group = next(g for g in GROUPS if g["about"] == about)
        backend = self.origin()
        gw = self.gateway({"upstreams": with_origin(group["upstreams"], backend.address), "limits": group.get("limits", {}),
                           "routes": [with_name(route) for route in group["routes"]]})
        for case in group["cases"]:
            with self.subTest(case["ask"]):
                self.check(case, gw, backend)

    def check(self, case, gw, backend):
        method, target = case["ask"].split(" ")
        before = len(backend.requests)
        response = self.request(gw, method, target, case)
        self.assertEqual(response.status, case.get("status", 200))
        self.assertEqual(response.get("x-route") or "", case["route"])
        self.assertEqual(response.get("location"), case.get("location"))
        if "answer" in case:
            self.assertEqual((response.body.decode(), response.get("content-type")), (case["answer"], case.get("type")))
        sent = ["%s %s" % (r.method, r.target) for r in backend.requests[before:]]
        self.assertEqual(sent, [case["sent"]] if "sent" in case else [])
        if "sent" in case:
            self.assertEqual(backend.requests[-1].body.decode(), case.get("body", ""))

    def request(self, gw, method, target, case):
        fields = [tuple(field) for field in case.get("fields", [])]
        body = case["body"].encode() if "body" in case else None
        if not any(name == "Host" for name, _ in fields):
            return self.ask(gw, method, target, fields=fields, body=body)
        with harness.wire.Client(gw.port) as client:
            client.send("%s %s HTTP/1.1\r\n%s\r\n" % (method, target, "".join("%s: %s\r\n" % field for field in fields)))
            return client.read(method)

    def test_paths_are_rewritten_for_the_upstream(self):
        self.group("paths on their way to an upstream")

    def test_the_right_route_is_taken_and_its_fields_go_upstream(self):
        self.group("which of several routes, and which fields go upstream")

    def test_redirects_go_where_they_should_and_nowhere_else(self):
        self.group("redirects")

    def test_fixed_answers(self):
        self.group("fixed answers")

    def test_limits_of_routes_and_stages(self):
        self.group("bodies that are too large for their route, and for a stage")

    def test_a_route_may_be_slower_than_its_upstream_s_deadline_allows(self):
        released = threading.Event()
        self.addCleanup(released.set)

        def answer(request, peer):
            if request.target == "/":
                return peer.wait_gone()
            released.wait(30)
            peer.reply()

        backend = self.origin(answer)
        gw = self.gateway({"upstreams": {"u": {"endpoints": backend.address, "timeouts": {"first_byte": "100ms"}}},
                           "routes": [{"prefix": "/", "forward": "u"}, {"prefix": "/slow", "forward": "u", "timeouts": {"first_byte": "30s"}}]})
        slow = self.client(gw)
        slow.ask(target="/slow")
        self.assertTrue(backend.wait(lambda: backend.requests))
        # This one begins later, and its time is over before the other is answered.
        self.assert_message(self.ask(gw, target="/"), 504)
        released.set()
        self.assertEqual(slow.read().status, 200)

    def test_a_chunked_body_is_cut_at_the_limit_of_its_route(self):
        backend = self.origin()
        gw = self.gateway({"upstreams": {"u": backend.address}, "limits": {"body": 100},
                           "routes": [{"prefix": "/", "limits": {"body": 10}, "forward": "u"}]})
        for pieces, status in (([b"01234", b"56789"], 200), ([b"01234", b"56789", b"a"], 413)):
            client = self.client(gw)
            client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(b"".join(harness.wire.chunk(piece) for piece in pieces) + b"0\r\n\r\n")
            self.assertEqual(client.read().status, status)
        self.assertEqual([r.body for r in backend.requests], [b"0123456789"])


if __name__ == "__main__":
    harness.main()
