"""Requests that gw refuses by itself, over real sockets: status, message, and what becomes of the connection."""
import collections
import json
import re

import harness
import wire

PROBES = harness.ROOT / "tests/data/http11_probe_sample.json"

# What is sent, and the status that it gets.
REFUSED = [
    ("a line that is no request line", "hello\r\n\r\n", 400),
    ("a request line without a version", "GET /\r\n\r\n", 400),
    ("a bare line feed", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
    ("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    ("a space before the colon", "GET / HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", 400),
    ("a folded field", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n", 400),
    ("a NUL in a value", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n", 400),
    ("two different lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ("length and chunked", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("a NUL in the path", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a backslash in the path", "GET /a\\b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("an unknown method", "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("an unknown transfer coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    ("an unknown expectation", "GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417),
    ("a head that is too large", "GET / HTTP/1.1\r\nHost: x\r\nX-A: %s\r\n\r\n" % ("a" * 5000), 431),
    ("too many fields", "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n" % ("X-A: b\r\n" * 40), 431),
    ("a target that is too long", "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % ("a" * 1100), 414),
    ("a body that is too large", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", 413),
]

LIMITS = {"head": "4KiB", "fields": 30, "target": "1KiB", "body": 100000}


class Refusal(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.backend = self.origin()
        self.gw = self.in_front_of(self.backend, limits=LIMITS)

    def assert_serves(self):
        """That gw still answers, and that its upstream saw nothing but HTTP."""
        self.assertEqual(self.ask(self.gw, target="/clean").status, 200)
        self.assertEqual(self.backend.faults, [])

    def test_each_malformed_request_gets_its_status_and_a_closed_connection(self):
        for what, bytes_, status in REFUSED:
            with self.subTest(what):
                client = self.client(self.gw)
                client.send(bytes_)
                response = client.read()
                if status is not None:
                    self.assert_message(response, status)
                self.assertGreaterEqual(response.status, 400)
                # What is wrong with a path or an expectation leaves the framing sound.
                if response.get("connection") == "close":
                    self.assertTrue(client.is_closed())
                else:
                    self.assertEqual(client.request().status, 200)
        self.assert_serves()

    def test_the_framing_of_a_malformed_request_is_not_trusted_again(self):
        for what, bytes_, status in REFUSED:
            if status == 400 and "in the path" not in what:
                with self.subTest(what):
                    client = self.client(self.gw)
                    client.send(bytes_ + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertEqual(client.read().get("connection"), "close")
                    self.assertTrue(client.is_closed())
        self.assert_serves()
        self.assertEqual([r.target for r in self.backend.requests], ["/clean"])

    def test_a_chunked_body_over_the_limit_gets_413(self):
        client = self.client(self.gw)
        client.send("POST /large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(11):
            client.send(wire.chunk(b"x" * 10000))
        self.assert_message(client.read(), 413, "the body is too large")
        self.assertTrue(client.is_closed())
        self.assert_serves()
        self.assertNotIn("/large", [r.target for r in self.backend.requests])

    def test_a_bad_chunk_in_the_middle_of_a_body_gets_400(self):
        client = self.client(self.gw)
        client.send("POST /bad HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
        self.assert_message(client.read(), 400)
        self.assertTrue(client.is_closed())
        self.assert_serves()

    def test_a_body_that_ends_early_is_not_passed_on_as_whole(self):
        client = self.client(self.gw)
        client.send("POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        self.assertTrue(self.backend.wait(lambda: self.backend.connections))
        client.close()
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))
        self.assertEqual((self.backend.cut, self.backend.requests), (1, []))
        self.assert_serves()

    def test_a_method_that_no_route_takes_gets_405_with_the_others(self):
        gw = self.in_front_of(self.backend, route={"methods": ["GET", "PUT"]})
        client = self.client(gw)
        response = client.request("DELETE")
        self.assert_message(response, 405)
        self.assertEqual(sorted(re.split(", *", response.get("allow"))), ["GET", "HEAD", "PUT"])
        self.assertEqual(client.request("PUT", body=b"x").status, 200)

    def test_a_refusal_is_logged_with_the_address(self):
        client = self.client(self.gw)
        client.send("GET / HTTP/3.0\r\n\r\n")
        self.assertEqual(client.read().status, 505)
        self.gw.wait_log("refused a request of 127.0.0.1: ")

    def test_the_bytes_of_tls_get_an_answer_that_can_be_read(self):
        client = self.client(self.gw)
        client.send(bytes([22, 3, 1, 0, 200, 1]) + bytes(199))
        self.assertEqual(client.read().status, 400)
        self.assertTrue(client.is_closed())


class Http11Probe(harness.TestCase):
    """The cases of an outside suite, whole and in pieces, over real sockets."""
    limit = 240

    def setUp(self):
        super().setUp()
        self.cases = json.loads(PROBES.read_text())["cases"]
        self.assertEqual(len(self.cases), 52)
        self.backend = self.origin()
        # What gw waits for shows itself as 408. One worker: what it has read before it answers somebody else is known.
        self.gw = self.in_front_of(self.backend, workers=1, timeouts={"client_header": "30s", "client_body": "700ms"})
        self.witness = self.client(self.gw)

    def let_it_read(self):
        """Returns when gw has read what was sent before on other connections: it has answered what was sent after it, twice."""
        for _ in range(2):
            self.assertEqual(self.witness.request(target="/witness").status, 200)

    def verdict(self, client):
        """The status of the answer, "close", or "timeout" if gw waits for more."""
        try:
            status = client.head().status
        except (wire.Cut, ConnectionResetError):
            return "close"
        return "timeout" if status == 408 else str(status)

    def send(self, pieces_of_each):
        """Sends messages at the same time, each in pieces that gw reads one by one; the verdicts."""
        clients = [self.client(self.gw) for _ in pieces_of_each]
        for number in range(max(len(pieces) for pieces in pieces_of_each)):
            for client, pieces in zip(clients, pieces_of_each):
                if number < len(pieces):
                    try:
                        client.send(pieces[number])
                    except OSError:
                        pass  # refused already; the answer can be read all the same
            self.let_it_read()
        verdicts = [self.verdict(client) for client in clients]
        for client in clients:
            client.close()
        return verdicts

    def assert_origin_saw(self, complete):
        """That the origin saw so many requests that are whole, besides those of the witness, and otherwise nothing but beginnings."""
        self.assertTrue(self.backend.wait(lambda: len(self.seen()) >= complete))
        self.assertEqual((len(self.seen()), self.backend.faults), (complete, []))
        self.assertTrue(all(r.version == "HTTP/1.1" and r.get("host") == self.backend.address for r in self.backend.requests))

    def seen(self):
        return [r for r in self.backend.requests if r.target != "/witness"]

    def test_each_case_gets_the_strict_verdict(self):
        verdicts = self.send([[case["request"].encode("latin-1")] for case in self.cases])
        for case, verdict in zip(self.cases, verdicts):
            with self.subTest(case["id"]):
                self.assertTrue(is_strict(case, verdict), "%s, expected %s" % (verdict, case["expected"]))
        self.assert_origin_saw(sum(verdict[0] == "2" for verdict in verdicts))
        # Bodies whose end does not come time out; two are of methods and versions that gw does not have.
        self.assertEqual(collections.Counter(verdict[0] for verdict in verdicts), {"2": 3, "t": 3, "4": 44, "5": 2})

    def test_no_verdict_changes_when_a_case_is_split_at_whatever_byte(self):
        complete = 0
        for case in self.cases:
            request = case["request"].encode("latin-1")
            with self.subTest(case["id"]):
                whole, *split = self.send([[request], *([request[:i], request[i:]] for i in range(1, len(request)))])
                self.assertEqual(set(split), {whole})
                complete += (whole[0] == "2") * len(request)
                self.assert_origin_saw(complete)

    def test_no_verdict_changes_when_bytes_come_one_by_one(self):
        requests = [case["request"].encode("latin-1") for case in self.cases]
        whole = self.send([[request] for request in requests])
        single = self.send([[request[i:i + 1] for i in range(len(request))] for request in requests])
        self.assertEqual(single, whole)
        self.assert_origin_saw(2 * sum(verdict[0] == "2" for verdict in whole))


def is_strict(case, verdict):
    """Whether a verdict is the strictest of those that a case allows: "400 or 2xx" means 400."""
    # The half before "(pass)" is the strict one; all else allows closing wherever it allows 400.
    expected = case["expected"].split("(pass)")[0]
    can_refuse = re.search("[45]..", expected)
    if verdict == "timeout":
        return verdict in expected
    if verdict[0] == "2":
        return "2" in expected and not can_refuse
    # An unknown coding or method is not implemented rather than wrong.
    return verdict in expected or "close" in expected or (verdict == "501" and "400" in expected)


if __name__ == "__main__":
    harness.main()
