"""Both directions at once: answers that begin or end before the request does, clients that wait for 100, and responses that break off."""
import hashlib
import os
import signal
import socket
import threading

import harness
import wire

MIB = 1024 * 1024
BLOCK = os.urandom(MIB)
BLOCKS = 8 if harness.IS_SANITIZED else 32
EARLY = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"


def head(framing, more=""):
    return "POST /up HTTP/1.1\r\nHost: x\r\n%s%s\r\n\r\n" % (more, framing)


class Sender(threading.Thread):
    """Sends blocks until all are sent or nobody takes them."""

    def __init__(self, client, blocks=BLOCKS, is_chunked=False):
        super().__init__(daemon=True)
        self.client, self.blocks, self.is_chunked = client, blocks, is_chunked
        self.error = None
        self.start()

    def run(self):
        try:
            for _ in range(self.blocks):
                self.client.send(wire.chunk(BLOCK) if self.is_chunked else BLOCK)
            if self.is_chunked:
                self.client.send(b"0\r\nSum: 7\r\n\r\n")
        except OSError as e:
            self.error = e


class EarlyAnswer(harness.TestCase):
    limit = 120

    def test_an_upstream_that_reads_on_gets_all_of_the_request(self):
        expected = hashlib.sha256(BLOCK * BLOCKS).hexdigest()
        for is_chunked in (False, True):
            with self.subTest(chunked=is_chunked):
                got = []

                def answer(request, peer):
                    peer.send(EARLY)
                    digest = hashlib.sha256()
                    for piece in request.pieces():
                        digest.update(piece)
                    got.append((digest.hexdigest(), list(request.trailers)))

                backend = self.origin(answer, streams=True)
                client = self.client(self.in_front_of(backend), timeout=60)
                client.send(head("Transfer-Encoding: chunked" if is_chunked else "Content-Length: %d" % (BLOCKS * MIB)))
                # The answer is there before there is any content.
                response = client.read()
                self.assertEqual((response.status, response.body, response.get("connection")), (200, b"early", "close"))
                sender = Sender(client, is_chunked=is_chunked)
                sender.join(60)
                self.assertIsNone(sender.error)
                self.assertTrue(client.is_closed())
                self.assertTrue(backend.wait(lambda: got))
                self.assertEqual(got, [(expected, [("Sum", "7")] if is_chunked else [])])
                # The upstream's connection went on: it is used again.
                self.assertEqual(backend.faults, [])

    def test_a_small_request_leaves_both_connections_open(self):
        def answer(request, peer):
            peer.send(EARLY)
            request.read()

        backend = self.origin(answer, streams=True)
        client = self.client(self.in_front_of(backend, workers=1))
        for _ in range(3):
            client.send(head("Content-Length: 10"))
            self.assertEqual(client.read().body, b"early")
            client.send("0123456789")
        client.ask()
        self.assertEqual(client.read().body, b"early")
        self.assertEqual([r.body for r in backend.requests], [b"0123456789"] * 3 + [b""])
        self.assertEqual(backend.connections, 1)

    def test_an_upstream_that_closes_with_its_answer_ends_the_upload(self):
        ends = {
            "says so and closes": ("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nearly", lambda peer: None),
            "says so and reads on": ("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nearly",
                                     lambda peer: [None for _ in peer.reader.to_end()]),
            "closes without a word": (EARLY, lambda peer: None),
            "ends its content by closing": ("HTTP/1.1 200 OK\r\n\r\nearly", lambda peer: None),
            "speaks HTTP/1.0": ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nearly", lambda peer: None),
        }
        for what, (response, then) in ends.items():
            for is_sending in (True, False):
                with self.subTest(what, is_sending=is_sending):

                    def answer(_, peer):
                        peer.send(response)
                        peer.socket.shutdown(socket.SHUT_WR)
                        then(peer)
                        return False

                    backend = self.origin(answer, streams=True)
                    client = self.client(self.in_front_of(backend), timeout=60)
                    client.send(head("Content-Length: %d" % (BLOCKS * MIB)))
                    sender = Sender(client) if is_sending else None
                    # Whatever else happens on the connection, the answer arrives whole.
                    self.assertEqual(client.read().body, b"early")
                    if sender:
                        sender.join(60)
                    else:
                        self.assertTrue(client.is_closed())
                    client.close()
                    self.assertTrue(backend.wait(lambda: backend.opened == 0))

    def test_a_client_that_stops_behind_an_early_answer_ends_the_upload(self):
        stops = {"ends its half": lambda client: client.socket.shutdown(socket.SHUT_WR), "leaves": lambda client: client.close()}
        for what, stop in stops.items():
            with self.subTest(what):

                def answer(request, peer):
                    peer.send(EARLY)
                    request.read()

                backend = self.origin(answer, streams=True)
                client = self.client(self.in_front_of(backend))
                client.send(head("Content-Length: 1000000") + "start")
                self.assertEqual(client.read().body, b"early")
                stop(client)
                self.assertTrue(backend.wait(lambda: backend.cut == 1))
                self.assertTrue(backend.wait(lambda: backend.opened == 0))

    def test_a_client_that_sends_no_more_is_waited_for_as_long_as_for_any_body(self):
        def answer(request, peer):
            peer.send(EARLY)
            request.read()

        backend = self.origin(answer, streams=True)
        client = self.client(self.in_front_of(backend, timeouts={"client_body": "300ms"}))
        client.send(head("Content-Length: 1000000") + "start")
        self.assertEqual(client.read().body, b"early")
        self.assertTrue(client.is_closed())
        self.assertTrue(backend.wait(lambda: backend.cut == 1))

    def test_a_response_that_begins_early_goes_on_beside_the_upload(self):
        def answer(request, peer):
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in request.pieces():
                peer.send(wire.chunk(b"got %d;" % len(piece)))
            peer.send("0\r\n\r\n")

        client = self.client(self.in_front_of(self.origin(answer, streams=True)))
        client.send(head("Transfer-Encoding: chunked"))
        response = client.head()
        pieces = client.pieces(response)
        for n in range(1, 5):
            client.send(wire.chunk(b"x" * n))
            self.assertEqual(next(pieces), b"got %d;" % n)
        client.send("0\r\n\r\n")
        self.assertEqual(b"".join(pieces), b"")

    def test_a_drain_lets_an_upload_behind_an_early_answer_end(self):
        def answer(request, peer):
            peer.send(EARLY)
            request.read()

        backend = self.origin(answer, streams=True)
        gw = self.in_front_of(backend)
        client = self.client(gw)
        client.send(head("Content-Length: 10") + "01234")
        self.assertEqual(client.read().body, b"early")
        gw.signal(signal.SIGTERM)
        gw.wait_log("stopping")
        client.send("56789")
        self.assertTrue(client.is_closed())
        self.assertEqual(gw.wait(), 0)
        self.assertEqual(backend.requests[0].body, b"0123456789")


class Waiting(harness.TestCase):
    """Expect: 100-continue."""

    def test_an_answer_in_the_place_of_100_does_not_leave_the_client_waiting(self):
        for status in ("413 Content Too Large", "401 Unauthorized", "200 OK"):
            for connection in ((), (("Connection", "close"),)):
                with self.subTest(status, connection=connection):
                    backend = self.origin(lambda request, peer: peer.reply(b"now", status, connection), streams=True)
                    # Were it waited for, that would take longer than the test.
                    client = self.client(self.in_front_of(backend, timeouts={"client_body": "1h"}))
                    client.send(head("Content-Length: 1000000", "Expect: 100-continue\r\n"))
                    response = client.read()
                    self.assertEqual((response.status, response.interim, response.body, response.get("connection")),
                                     (int(status.split()[0]), [], b"now", "close"))
                    self.assertTrue(client.is_closed())
                    self.assertTrue(backend.wait(lambda: backend.opened == 0))

    def test_content_that_comes_all_the_same_is_no_request(self):
        backend = self.origin(lambda request, peer: peer.reply(b"no", "413 Content Too Large"), streams=True)
        client = self.client(self.in_front_of(backend))
        content = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        client.send(head("Content-Length: %d" % len(content), "Expect: 100-continue\r\n"))
        self.assertEqual(client.read().status, 413)
        client.send(content)
        self.assertTrue(client.is_closed())
        self.assertEqual([r.target for r in backend.requests], ["/up"])

    def test_what_is_expected_beside_100_is_refused(self):
        gw = self.in_front_of(self.origin())
        for value in ("tea", "100-continue, tea", "100"):
            self.assert_message(self.ask(gw, "POST", body=b"x", fields=[("Expect", value)]), 417)

    def test_an_http10_client_is_not_made_to_wait_and_the_upstream_not_asked(self):
        def answer(request, peer):
            if request.get("expect"):
                peer.send("HTTP/1.1 100 Continue\r\n\r\n")
            peer.reply(b"ok")

        backend = self.origin(answer)
        response = self.ask(self.in_front_of(backend), "POST", body=b"x", version="HTTP/1.0", fields=[("Expect", "100-continue")])
        self.assertEqual((response.status, response.interim), (200, []))
        self.assertIsNone(backend.requests[0].get("expect"))


class BreakingOff(harness.TestCase):
    """Responses that the upstream does not finish."""

    CASES = {
        "a length that is not reached": "Content-Length: 100\r\n\r\nhello",
        "no last chunk": "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "the middle of a chunk": "Transfer-Encoding: chunked\r\n\r\n64\r\nhello",
        "the middle of the trailers": "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\n",
    }

    def test_every_client_can_tell(self):
        for what, response in self.CASES.items():
            for is_reset in (False, True):
                for version in ("HTTP/1.1", "HTTP/1.0"):
                    with self.subTest(what, reset=is_reset, version=version):
                        self.assert_cut("HTTP/1.1 200 OK\r\n" + response, is_reset, version)

    def test_a_response_until_the_end_that_is_reset_is_cut(self):
        for version in ("HTTP/1.1", "HTTP/1.0"):
            with self.subTest(version=version):
                self.assert_cut("HTTP/1.1 200 OK\r\n\r\nhello", True, version)

    def assert_cut(self, response, is_reset, version):
        seen = threading.Event()

        def answer(_, peer):
            peer.send(response)
            # What was sent has to get through before it breaks.
            seen.wait(20)
            if is_reset:
                peer.reset()
            return False

        client = self.client(self.in_front_of(self.origin(answer)))
        client.ask(version=version)
        got = client.head()
        self.assertEqual(got.status, 200)
        pieces = client.pieces(got)
        body = b""
        with self.assertRaises((wire.Cut, ConnectionResetError)):
            while True:
                body += next(pieces)
                seen.set()
        self.assertEqual(body, b"hello")


if __name__ == "__main__":
    harness.main()
