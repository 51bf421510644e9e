"""Connections that serve more than one request, on both sides of the gateway."""
import harness


class KeepAlive(harness.TestCase):
    def front(self, answer=harness.origin.reply_ok, **upstream):
        """gw with one worker: connections to upstreams belong to workers."""
        self.backend = self.origin(answer)
        return self.in_front_of(self.backend, workers=1, upstream=upstream)

    def test_many_requests_use_one_upstream_connection(self):
        gw = self.front()
        client = self.client(gw)
        for _ in range(50):
            self.assertEqual(client.request().status, 200)
        for _ in range(50):
            self.assertEqual(self.ask(gw, "POST", body=b"content").status, 200)
        self.assertEqual((self.backend.connections, len(self.backend.requests)), (1, 100))

    def test_routes_to_the_same_address_share_connections(self):
        backend = self.origin()
        gw = self.gateway({"workers": 1, "upstreams": {"named": [backend.address]},
                           "routes": [{"prefix": "/a", "forward": "named"}, {"prefix": "/b", "forward": backend.url + "/base"}]})
        for target in ("/a", "/b", "/a"):
            self.assertEqual(self.ask(gw, target=target).status, 200)
        self.assertEqual((backend.connections, [r.target for r in backend.requests]), (1, ["/a", "/base/b", "/a"]))

    def test_connections_survive_a_reload(self):
        gw = self.front()
        self.ask(gw)
        gw.reload({**gw.config, "use": ["request_id"]})
        self.ask(gw)
        self.assertEqual(self.backend.connections, 1)

    def test_an_upstream_connection_that_is_idle_too_long_is_closed(self):
        gw = self.front(timeouts={"idle": "200ms"})
        self.assertEqual(self.ask(gw).status, 200)
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))
        self.assertEqual(self.ask(gw).status, 200)
        self.assertEqual(self.backend.connections, 2)

    def test_no_more_idle_connections_are_kept_than_allowed(self):
        barrier = harness.threading.Barrier(8)

        def answer(_, peer):
            barrier.wait(20)
            peer.reply()

        gw = self.front(answer, idle_connections=2)
        clients = [self.client(gw) for _ in range(8)]
        for client in clients:
            client.ask()
        for client in clients:
            self.assertEqual(client.read().status, 200)
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 2))

    def test_an_upstream_that_says_close_is_taken_at_its_word(self):
        gw = self.front(lambda _, peer: peer.reply(fields=[("Connection", "close")]) or peer.wait_gone() and False)
        client = self.client(gw)
        for _ in range(3):
            response = client.request()
            self.assertEqual((response.status, response.get("connection")), (200, None))
        self.assertEqual(self.backend.connections, 3)

    def test_an_http10_upstream_connection_is_not_used_again(self):
        def answer(_, peer):
            peer.send("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
            peer.wait_gone()
            return False

        gw = self.front(answer)
        for _ in range(3):
            self.assertEqual(self.ask(gw).body, b"ok")
        self.assertEqual(self.backend.connections, 3)

    def test_a_get_on_a_stale_connection_is_sent_once_more(self):
        # The second request on each connection is read, and then the connection ends without an answer.
        def answer(request, peer):
            if [r.peer for r in self.backend.requests].count(peer) == 2:
                return False
            peer.reply(request.target.encode())

        gw = self.front(answer)
        client = self.client(gw)
        for target in ("/1", "/2"):
            self.assertEqual(client.request(target=target).body, target.encode())
        self.assertEqual([(r.target, r.peer.number) for r in self.backend.requests], [("/1", 1), ("/2", 1), ("/2", 2)])

    def test_a_put_with_its_body_on_a_stale_connection_is_sent_once_more(self):
        def answer(request, peer):
            if [r.peer for r in self.backend.requests].count(peer) == 2:
                return False
            peer.reply(request.body)

        gw = self.front(answer)
        client = self.client(gw)
        for body in (b"one", b"two"):
            self.assertEqual(client.request("PUT", body=body).body, body)

    def test_a_post_that_may_have_been_carried_out_is_not_repeated(self):
        def answer(_, peer):
            if [r.peer for r in self.backend.requests].count(peer) == 2:
                return False
            peer.reply()

        gw = self.front(answer)
        client = self.client(gw)
        self.assertEqual(client.request("POST", body=b"one").status, 200)
        self.assert_message(client.request("POST", body=b"two"), 502)
        self.assertEqual([r.body for r in self.backend.requests], [b"one", b"two"])

    def test_a_request_is_not_repeated_a_second_time(self):
        def answer(_, peer):
            if len(self.backend.requests) == 1:
                return peer.reply()
            return False

        gw = self.front(answer, retries=0)
        self.assertEqual(self.ask(gw).status, 200)
        self.assert_message(self.ask(gw), 502)
        self.assertEqual((len(self.backend.requests), self.backend.connections), (3, 2))

    def test_a_post_after_the_upstream_closed_succeeds(self):
        # The origin closes after each response without saying so.
        gw = self.front(lambda _, peer: peer.reply() or False)
        client = self.client(gw)
        for n in range(1, 11):
            self.assertEqual(client.request("POST", body=b"content").status, 200)
            self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))
        self.assertEqual((self.backend.connections, len(self.backend.requests)), (10, 10))

    def test_bytes_that_come_unasked_spoil_an_idle_connection(self):
        spoiled = harness.threading.Event()

        def answer(request, peer):
            peer.reply()
            if request.target == "/spoil":
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                spoiled.set()
                peer.wait_gone()
                return False

        gw = self.front(answer)
        client = self.client(gw)
        self.assertEqual(client.request(target="/spoil").body, b"ok")
        self.assertTrue(spoiled.wait(10))
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))
        self.assertEqual(client.request().body, b"ok")

    def test_pipelined_requests_are_answered_in_order(self):
        gw = self.front(lambda request, peer: peer.reply(request.target.encode() + request.body))
        client = self.client(gw)
        client.send("".join("POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % (n, n)
                            for n in range(100)))
        for n in range(100):
            self.assertEqual(client.read().body, b"/%dabc" % n)
            self.assertEqual(client.read().body, b"/%d" % n)
        client.send("GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(client.read().body, b"/last")
        self.assertTrue(client.is_closed())

    def test_pipelined_requests_behind_a_close_are_not_carried_out(self):
        gw = self.front()
        client = self.client(gw)
        client.send("GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        response = client.read()
        self.assertEqual((response.status, response.get("connection")), (200, "close"))
        self.assertTrue(client.is_closed())
        self.assertEqual([r.target for r in self.backend.requests], ["/1"])

    def test_a_request_that_comes_byte_by_byte_is_one_request(self):
        gw = self.front(lambda request, peer: peer.reply(request.body))
        client = self.client(gw)
        for byte in b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n":
            client.send(bytes([byte]))
        self.assertEqual(client.read().body, b"hello")

    def test_a_request_body_that_the_upstream_did_not_read_does_not_end_the_client_s_connection(self):
        backend = self.origin(lambda _, peer: peer.reply(fields=[("Connection", "close")]) or False, streams=True)
        gw = self.in_front_of(backend)
        client = self.client(gw)
        for _ in range(3):
            self.assertEqual(client.request("POST", body=b"x" * 100000).status, 200)


if __name__ == "__main__":
    harness.main()
