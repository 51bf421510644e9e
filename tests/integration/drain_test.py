"""SIGTERM: what was read is answered, the rest is closed, and gw ends."""
import signal
import threading

import harness
import wire


class Held:
    """An answer that is given when the test says so."""

    def __init__(self, body=b"finished"):
        self.released, self.body = threading.Event(), body

    def __call__(self, request, peer):
        if request.target.startswith("/held"):
            self.released.wait(30)
        peer.reply(self.body)


class Asker(threading.Thread):
    """A client that asks on one connection, each time with another number, until it is closed."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.client, self.prefix = wire.Client(port), name
        self.answered, self.bad, self.last = set(), [], None
        self.start()

    def run(self):
        n = 0
        try:
            while True:
                n += 1
                target = "/%s/%d" % (self.prefix, n)
                response = self.client.request(target=target, fields=[("X-Fill", "y" * (n % 500))])
                if response.status == 200 and response.body == target.encode():
                    self.answered.add(target)
                else:
                    self.bad.append((target, response.status))
                if response.get("connection") == "close":
                    return
        except (wire.Cut, OSError):
            self.last = "/%s/%d" % (self.prefix, n)


class Drain(harness.TestCase):
    def start_held(self, **config):
        held = Held()
        origin = self.origin(held)
        gw = self.in_front_of(origin, **config)
        client = self.client(gw)
        client.ask(target="/held")
        self.assertTrue(origin.wait(lambda: origin.requests))
        return held, gw, client

    def assert_cut(self, client):
        """That a client without an answer is told so, by 503 or by the end of the connection, and not left waiting."""
        try:
            self.assert_message(client.read(), 503, "the gateway is shutting down")
        except (wire.Cut, ConnectionResetError):
            return
        self.assertTrue(client.is_closed())

    def test_a_running_request_is_completed_and_gw_ends_with_0(self):
        held, gw, client = self.start_held()
        gw.signal(signal.SIGTERM)
        self.assertTrue(harness.eventually(lambda: not harness.accepts(gw.port)))
        self.assertIsNone(gw.process.poll())
        held.released.set()
        response = client.read()
        self.assertEqual((response.status, response.body, response.get("connection")), (200, b"finished", "close"))
        self.assertTrue(client.is_closed())
        self.assertEqual(gw.wait(), 0)

    def test_sigint_drains_as_well(self):
        held, gw, client = self.start_held()
        gw.signal(signal.SIGINT)
        gw.wait_log("stopping")
        held.released.set()
        self.assertEqual(client.read().body, b"finished")
        self.assertEqual(gw.wait(), 0)

    def test_idle_connections_are_closed_at_once(self):
        held, gw, client = self.start_held(timeouts={"drain": "60s"})
        fresh, used = self.client(gw), self.client(gw)
        self.assertEqual(used.request(target="/other").status, 200)
        gw.signal(signal.SIGTERM)
        self.assertTrue(fresh.is_closed())
        self.assertTrue(used.is_closed())
        self.assertIsNone(gw.process.poll())
        held.released.set()
        self.assertEqual(client.read().body, b"finished")
        self.assertEqual(gw.wait(), 0)

    def test_a_body_that_is_under_way_arrives_whole(self):
        go_on = threading.Event()

        def answer(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            go_on.wait(30)
            peer.send("after")

        origin = self.origin(answer)
        gw = self.in_front_of(origin)
        client = self.client(gw)
        client.ask()
        response = client.head()
        gw.signal(signal.SIGTERM)
        gw.wait_log("stopping")
        go_on.set()
        self.assertEqual(b"".join(client.pieces(response)), b"firstafter")
        self.assertEqual(gw.wait(), 0)

    def test_what_takes_longer_than_the_drain_time_is_cut(self):
        held, gw, client = self.start_held(timeouts={"drain": "300ms"})
        gw.signal(signal.SIGTERM)
        self.assertEqual(gw.wait(), 0)
        self.assert_cut(client)
        held.released.set()

    def test_hundreds_of_running_requests_are_cut_together(self):
        held = Held()
        origin = self.origin(held)
        gw = self.in_front_of(origin, workers=1, timeouts={"drain": "500ms"})
        clients = [self.client(gw) for _ in range(400)]
        for client in clients:
            client.ask(target="/held")
        self.assertTrue(origin.wait(lambda: len(origin.requests) == len(clients)))
        gw.signal(signal.SIGTERM)
        self.assertEqual(gw.wait(), 0)
        for client in clients:
            self.assert_cut(client)
        held.released.set()

    def test_a_second_sigterm_stops_at_once(self):
        held, gw, client = self.start_held(timeouts={"drain": "60s"})
        gw.signal(signal.SIGTERM)
        gw.wait_log("stopping")
        gw.signal(signal.SIGTERM)
        self.assertEqual(gw.wait(), 0)
        self.assert_cut(client)
        held.released.set()

    def test_a_response_that_is_cut_by_the_end_is_seen_to_be_cut(self):
        go_on = threading.Event()

        def answer(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            go_on.wait(30)

        gw = self.in_front_of(self.origin(answer), timeouts={"drain": "200ms"})
        client = self.client(gw)
        client.ask()
        response = client.head()
        gw.signal(signal.SIGTERM)
        self.assertEqual(gw.wait(), 0)
        with self.assertRaises((wire.Cut, OSError)):
            list(client.pieces(response))
        go_on.set()

    def test_under_load_every_request_that_was_read_is_answered(self):
        # What the origin has seen, gw had read; the client must have the answer.
        origin = self.origin(lambda request, peer: peer.reply(request.target.encode()))
        gw = self.in_front_of(origin)
        askers = [Asker(gw.port, "client%d" % i) for i in range(24)]
        self.assertTrue(origin.wait(lambda: len(origin.requests) > 1000, 30))
        gw.signal(signal.SIGTERM)
        self.assertEqual(gw.wait(), 0)
        for asker in askers:
            asker.join(10)
            asker.client.close()
            self.assertFalse(asker.is_alive())
            self.assertEqual(asker.bad, [])
        answered = set().union(*(a.answered for a in askers))
        seen = {request.target for request in origin.requests}
        self.assertEqual(seen - answered, set())
        self.assertEqual(answered - seen, set())
        self.assertFalse(harness.accepts(gw.port))

    def test_wrk_loses_nothing_but_its_connections(self):
        origin = self.origin()
        gw = self.in_front_of(origin)
        wrk = harness.Wrk(gw.port, connections=16, seconds=1)
        self.assertTrue(origin.wait(lambda: len(origin.requests) > 500, 30))
        gw.signal(signal.SIGTERM)
        self.assertEqual(gw.wait(), 0)
        requests, _ = wrk.result()
        self.assertEqual(requests, len(origin.requests))


if __name__ == "__main__":
    harness.main()
