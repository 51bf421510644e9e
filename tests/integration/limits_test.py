"""Clients that take too long or are too many."""
import threading

import harness
import origin


class Timeouts(harness.TestCase):
    def front(self, **timeouts):
        self.backend = self.origin()
        return self.in_front_of(self.backend, timeouts=timeouts)

    def test_a_head_that_does_not_come_to_its_end_gets_408(self):
        gw = self.front(client_header="300ms")
        client = self.client(gw)
        client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        self.assert_message(client.read(), 408, "the request did not arrive in time")
        self.assertTrue(client.is_closed())

    def trickle(self, client):
        """Sends a byte whenever the one before it is not answered within a moment, until one is."""
        client.socket.settimeout(0.05)
        answered = False
        for _ in range(400):
            client.send("a")
            try:
                answered = client.reader.fill()
                break
            except TimeoutError:
                pass
        self.assertTrue(answered)
        client.socket.settimeout(10)

    def test_a_head_that_trickles_gets_408_all_the_same(self):
        gw = self.front(client_header="500ms")
        client = self.client(gw)
        client.send("GET / HTTP/1.1\r\nHost: x\r\n")
        self.trickle(client)
        self.assert_message(client.read(), 408)

    def test_the_second_request_of_a_connection_has_a_deadline_too(self):
        gw = self.front(client_header="300ms")
        client = self.client(gw)
        self.assertEqual(client.request().status, 200)
        client.send("GET / HTT")
        self.assert_message(client.read(), 408)

    def test_a_client_that_never_asks_is_closed_without_a_word(self):
        client = self.client(self.front(client_header="300ms"))
        self.assertTrue(client.is_closed())

    def test_an_idle_connection_is_closed(self):
        gw = self.front(client_idle="300ms")
        client = self.client(gw)
        self.assertEqual(client.request().status, 200)
        self.assertTrue(client.is_closed())

    def test_a_body_that_stops_gets_408(self):
        gw = self.front(client_body="300ms")
        for framing in ("Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"):
            with self.subTest(framing):
                client = self.client(gw)
                client.send("POST / HTTP/1.1\r\nHost: x\r\n" + framing)
                self.assert_message(client.read(), 408, "the request did not arrive in time")
                self.assertTrue(client.is_closed())
        # The upstream is not left with half a request either.
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))
        self.assertEqual((self.backend.cut, self.backend.requests), (2, []))

    def test_a_body_that_trickles_gets_408_though_no_pause_is_long(self):
        gw = self.front(client_body="700ms")
        client = self.client(gw)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        self.trickle(client)
        self.assert_message(client.read(), 408, "the request did not arrive in time")
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))

    def test_a_client_that_waits_for_a_slow_upstream_is_not_slow(self):
        proceed = threading.Event()

        def answer(request, peer):
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(8):
                proceed.wait(0.2)  # longer in all than the client's time
                peer.send(origin.wire.chunk(b"data: tick\n\n"))
            peer.send("0\r\n\r\n")

        gw = self.in_front_of(self.origin(answer), timeouts={"client_body": "500ms", "client_write": "500ms", "client_header": "500ms"})
        self.assertEqual(self.ask(gw, "POST", body=b"x" * 100).body, b"data: tick\n\n" * 8)

    def endless(self, **timeouts):
        """A gateway before an origin that sends as much as is taken of it."""
        def stream(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            for _ in range(1000):
                peer.send(bytes(1000000))

        self.backend = self.origin(stream)
        return self.in_front_of(self.backend, timeouts=timeouts)

    def test_a_client_that_stops_reading_is_cut(self):
        gw = self.endless(client_write="300ms")
        client = self.client(gw, receive_buffer=4096)
        client.ask()
        self.assertTrue(self.backend.wait(lambda: self.backend.connections == 1))
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0, 20))

    def test_a_client_that_reads_slowly_but_steadily_is_not(self):
        """However much of a response the system could hold: what it holds must not hide that the client reads."""
        gw = self.endless(client_write="2s")
        client = self.client(gw)
        client.ask()
        pause = threading.Event()
        for _ in range(60):
            self.assertTrue(client.socket.recv(32 * 1024))
            pause.wait(0.1)
        self.assertEqual(self.backend.opened, 1)


class Connections(harness.TestCase):
    def test_clients_beyond_the_limit_get_503_and_the_others_are_served(self):
        gw = self.in_front_of(self.origin(), limits={"connections": 4})
        clients = [self.client(gw) for _ in range(4)]
        for client in clients:
            self.assertEqual(client.request().status, 200)
        for _ in range(5):
            surplus = self.client(gw)
            response = surplus.read()
            self.assert_message(response, 503)
            self.assertEqual(response.get("connection"), "close")
            self.assertTrue(surplus.is_closed())
        for client in clients:
            self.assertEqual(client.request().status, 200)
        clients[0].close()
        self.assertTrue(harness.eventually(lambda: self.ask_or_none(gw) == 200))

    def test_the_connections_of_one_address_are_limited_over_all_workers(self):
        gw = self.in_front_of(self.origin(), limits={"connections_per_client": 6})
        clients = [self.client(gw) for _ in range(6)]
        for client in clients:
            self.assertEqual(client.request().status, 200)
        for _ in range(5):
            surplus = self.client(gw)
            self.assert_message(surplus.read(), 503)
            self.assertTrue(surplus.is_closed())
        others = [self.client(gw, source="127.0.0.2") for _ in range(6)]
        for client in clients + others:
            self.assertEqual(client.request().status, 200)
        clients[0].close()
        self.assertTrue(harness.eventually(lambda: self.ask_or_none(gw) == 200))

    def test_proxies_that_are_trusted_may_have_more_connections(self):
        gw = self.in_front_of(self.origin(), limits={"connections_per_client": 2}, listen=[{"address": "127.0.0.1:0", "trusted": "127.0.0.1"}])
        clients = [self.client(gw) for _ in range(5)]
        for client in clients:
            self.assertEqual(client.request().status, 200)
        others = [self.client(gw, source="127.0.0.2") for _ in range(2)]
        for client in others:
            self.assertEqual(client.request().status, 200)
        self.assertEqual(self.client(gw, source="127.0.0.2").read().status, 503)

    def test_a_connection_ends_with_its_last_request(self):
        gw = self.in_front_of(self.origin(), limits={"requests_per_connection": 3})
        client = self.client(gw)
        for _ in range(5):
            client.ask()
        self.assertEqual([client.read().get("connection") for _ in range(3)], [None, None, "close"])
        self.assertTrue(client.is_closed())

    def test_the_last_response_arrives_whole_whatever_the_client_has_sent_behind_its_request(self):
        body = bytes(range(256)) * 32768
        gw = self.in_front_of(self.origin(lambda _, peer: peer.reply(body)), limits={"requests_per_connection": 1})
        client = self.client(gw)
        # More than is read ahead.
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 8000 + b"\r\n\r\n") * 12)
        response = client.read()
        self.assertEqual(response.get("connection"), "close")
        self.assertEqual(response.body, body)
        self.assertTrue(client.is_closed())

    def test_a_client_that_sends_ahead_has_to_wait(self):
        """What is read while a request is answered is bounded, whatever the client sends."""
        proceed = threading.Event()
        self.addCleanup(proceed.set)

        def answer(_, peer):
            proceed.wait(20)
            peer.reply()

        backend = self.origin(answer)
        gw = self.in_front_of(backend)
        client = self.client(gw)
        request = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 8000 + b"\r\n\r\n"
        client.send(request)
        self.assertTrue(backend.wait(lambda: backend.connections == 1))
        before = gw.peak_memory()
        client.socket.settimeout(0.2)
        sent = 0
        with self.assertRaises(TimeoutError):  # the buffers of the system end somewhere
            while sent < 1 << 30:
                sent += client.socket.send(request)
        self.assertLess(gw.peak_memory() - before, 1 << 20)

    def ask_or_none(self, gateway):
        """The status, or None if the connection was cut first: a surplus client that has written already may see a reset."""
        try:
            return self.ask(gateway).status
        except (OSError, harness.wire.Cut):
            return None

    def test_a_reload_changes_the_limit(self):
        gw = self.in_front_of(self.origin(), limits={"connections": 1})
        first = self.client(gw)
        self.assertEqual(first.request().status, 200)
        self.assertEqual(self.client(gw).read().status, 503)
        gw.reload({**gw.config, "limits": {"connections": 2}})
        self.assertEqual(self.client(gw).request().status, 200)
        self.assertEqual(first.request().status, 200)


if __name__ == "__main__":
    harness.main()
