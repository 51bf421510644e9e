"""Upstreams that fail, each in its way: what the client is told, and that gw goes on."""
import socket
import threading

import harness
import wire


class UpstreamFailure(harness.TestCase):
    def front(self, answer, **upstream):
        """gw in front of an origin that misbehaves below /bad and is well otherwise."""

        def choose(request, peer):
            if request.target.startswith("/bad"):
                return answer(request, peer)
            return peer.reply()

        self.backend = self.origin(choose)
        return self.in_front_of(self.backend, upstream=upstream)

    def assert_serves(self, gateway, client=None):
        """That the next request is answered right, also on the same client connection."""
        self.assertEqual(self.ask(gateway, target="/good").body, b"ok")
        if client:
            self.assertEqual(client.request(target="/good").body, b"ok")

    def assert_fails(self, answer, status, message=None, **upstream):
        gw = self.front(answer, **upstream)
        for method in ("GET", "POST"):
            with self.subTest(method):
                client = self.client(gw)
                self.assert_message(client.request(method, "/bad", body=b"content" if method == "POST" else None), status, message)
                self.assert_serves(gw, client)

    def test_a_dead_upstream_gives_502(self):
        gw = self.gateway({"routes": [{"prefix": "/", "forward": "http://127.0.0.1:%d" % harness.free_port()}]})
        client = self.client(gw)
        for _ in range(2):
            self.assert_message(client.request(), 502, "the upstream could not be reached")

    def test_a_name_that_cannot_be_resolved_gives_503(self):
        # RFC 6761 6.4: this name never resolves.
        gw = self.gateway({"routes": [{"prefix": "/", "forward": "http://nowhere.invalid:8080"}]})
        self.assert_message(self.ask(gw), 503, "the name of the upstream could not be resolved")

    def test_an_upstream_that_does_not_accept_gives_504(self):
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(full.close)
        # Connections fill its queue until the system leaves one waiting.
        waiting = False
        while not waiting:
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.settimeout(0.3)
            try:
                filler.connect(full.getsockname())
            except TimeoutError:
                waiting = True
        upstream = {"endpoints": ["127.0.0.1:%d" % full.getsockname()[1]], "timeouts": {"connect": "300ms"}}
        gw = self.gateway({"upstreams": {"full": upstream}, "routes": [{"prefix": "/", "forward": "full"}]})
        self.assert_message(self.ask(gw), 504, "the upstream did not accept a connection in time")

    def test_an_upstream_that_hangs_gives_504(self):
        def hang(_, peer):
            peer.wait_gone()
            return False

        self.assert_fails(hang, 504, "the upstream did not respond in time", timeouts={"first_byte": "300ms"})
        # The connection whose answer nobody awaits any more is not used again.
        self.assertTrue(self.backend.wait(lambda: self.backend.opened <= 4))

    def test_an_upstream_that_stops_inside_its_head_gives_504(self):
        def stop(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-")
            peer.wait_gone()
            return False

        self.assert_fails(stop, 504, timeouts={"first_byte": "300ms"})

    def test_an_upstream_that_closes_without_an_answer_gives_502(self):
        self.assert_fails(lambda _, peer: False, 502, "the upstream closed the connection before its response was complete")

    def test_an_upstream_that_closes_inside_its_head_gives_502(self):
        def close(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-Len")
            return False

        self.assert_fails(close, 502, "the upstream closed the connection before its response was complete")

    def test_an_upstream_that_resets_gives_502(self):
        def reset(_, peer):
            peer.reset()
            return False

        self.assert_fails(reset, 502)

    def test_what_is_not_http_gives_502(self):
        heads = [
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 99 Low\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A: b\0c\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        ]

        def answer(request, peer):
            peer.send(heads[int(request.target[4:])])
            return False

        gw = self.front(answer)
        for i, head in enumerate(heads):
            with self.subTest(head):
                self.assert_message(self.ask(gw, target="/bad%d" % i), 502)
        self.assert_serves(gw)

    def test_a_response_head_that_is_too_large_gives_502(self):
        self.assert_fails(lambda _, peer: peer.reply(fields=[("X-Large", "x" * 20000)]), 502,
                          "the header fields of the upstream's response are too large or too many")

    def test_a_response_that_ends_early_is_cut_so_that_curl_sees_it(self):
        bodies = ["Content-Length: 100\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                  "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"]

        def answer(request, peer):
            peer.send("HTTP/1.1 200 OK\r\n" + bodies[int(request.target[4:])])
            return False

        gw = self.front(answer)
        for i, body in enumerate(bodies):
            with self.subTest(body):
                output = self.curl("http://127.0.0.1:%d/bad%d" % (gw.port, i), status=18)
                self.assertEqual(output, b"hello"[:len(output)])
        self.assert_serves(gw)

    def test_a_bad_chunk_in_a_response_cuts_it(self):
        def answer(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            peer.send("oops\r\n")

        gw = self.front(answer)
        self.curl("http://127.0.0.1:%d/bad" % gw.port, status=18)
        self.assert_serves(gw)

    def test_a_response_body_that_stops_is_cut(self):
        def answer(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
            peer.wait_gone()
            return False

        gw = self.front(answer, timeouts={"body": "300ms"})
        self.curl("http://127.0.0.1:%d/bad" % gw.port, status=18)
        self.assert_serves(gw)

    def test_bytes_behind_a_response_are_not_the_next_response(self):
        def answer(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            peer.wait_gone()
            return False

        gw = self.front(answer)
        client = self.client(gw)
        self.assertEqual(client.request(target="/bad").body, b"ok")
        self.assert_serves(gw, client)

    def test_an_answer_before_the_body_is_read_reaches_the_client(self):
        backend = self.origin(lambda _, peer: peer.reply(b"no", "403 Forbidden", [("Connection", "close")]) or False, streams=True)
        gw = self.in_front_of(backend)
        client = self.client(gw)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + "x" * 1000)
        response = client.read()
        self.assertEqual((response.status, response.body), (403, b"no"))
        self.assertEqual(self.ask(gw).status, 403)

    def test_no_more_connections_than_allowed_are_opened(self):
        release = threading.Event()

        def answer(request, peer):
            release.wait(20)
            peer.reply()

        gw = self.front(answer, connections=1)
        gw.reload({**gw.config, "workers": 2})
        held = [self.client(gw) for _ in range(8)]
        for client in held:
            client.ask(target="/bad")
        # One connection per worker; the requests of both workers beyond it are refused.
        first = self.backend.wait(lambda: self.backend.requests)
        self.assertTrue(first)
        release.set()
        responses = [client.read() for client in held]
        self.assertEqual({r.status for r in responses} - {200, 503}, set())
        self.assertIn(200, {r.status for r in responses})
        self.assertLessEqual(self.backend.connections, 2 + sum(r.status == 200 for r in responses))
        for response in responses:
            if response.status == 503:
                self.assert_message(response, 503, "the upstream has no free connection; try again later")
        self.assert_serves(gw)


if __name__ == "__main__":
    harness.main()
