"""How messages end, and what comes before and after them: both versions of HTTP/1, interim responses, trailers."""
import harness
import wire

CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Framing(harness.TestCase):
    def front(self, answer=harness.origin.reply_ok, **options):
        self.backend = self.origin(answer, **options)
        return self.in_front_of(self.backend)

    def test_an_http10_client_gets_its_answer_and_the_end(self):
        gw = self.front()
        client = self.client(gw)
        response = client.request(version="HTTP/1.0")
        self.assertEqual((response.status, response.body, response.get("connection")), (200, b"ok", "close"))
        self.assertTrue(client.is_closed())
        # The upstream is asked in 1.1, whatever the client speaks.
        self.assertEqual((self.backend.requests[0].version, self.backend.requests[0].get("via").split()[0]), ("HTTP/1.1", "1.0"))

    def test_an_http10_client_may_keep_its_connection(self):
        client = self.client(self.front())
        for _ in range(3):
            response = client.request(version="HTTP/1.0", fields=[("Connection", "keep-alive")])
            self.assertEqual((response.body, response.get("connection")), (b"ok", "keep-alive"))

    def test_an_http10_client_without_a_host_is_served(self):
        client = self.client(self.front())
        client.send("GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(client.read().status, 200)

    def test_an_http10_client_gets_a_chunked_response_until_the_end(self):
        gw = self.front(lambda _, peer: peer.send(CHUNKED + "5\r\nhello\r\n6\r\n again\r\n0\r\n\r\n"))
        client = self.client(gw)
        response = client.request(version="HTTP/1.0", fields=[("Connection", "keep-alive")])
        self.assertEqual((response.get("transfer-encoding"), response.get("content-length"), response.body), (None, None, b"hello again"))
        self.assertEqual(response.get("connection"), "close")

    def test_a_response_without_a_length_is_chunked_for_http11(self):
        for version in ("HTTP/1.0", "HTTP/1.1"):
            with self.subTest(upstream=version):
                gw = self.front(lambda _, peer: peer.send(version + " 200 OK\r\n\r\nuntil the end") or False)
                client = self.client(gw)
                for _ in range(2):
                    response = client.request()
                    self.assertEqual((response.get("transfer-encoding"), response.body), ("chunked", b"until the end"))

    def test_chunks_arrive_as_they_come(self):
        heard = harness.threading.Event()

        def answer(_, peer):
            peer.send(CHUNKED + "5\r\nfirst\r\n")
            heard.wait(20)
            peer.send("6\r\nsecond\r\n0\r\n\r\n")

        client = self.client(self.front(answer))
        client.ask()
        pieces = client.pieces(client.head())
        self.assertEqual(next(pieces), b"first")
        heard.set()
        self.assertEqual(b"".join(pieces), b"second")

    def test_a_request_body_arrives_as_it_comes(self):
        first = harness.threading.Event()

        def answer(request, peer):
            pieces = request.pieces()
            start = next(pieces)
            first.set()
            peer.reply(start + b"".join(pieces))

        client = self.client(self.front(answer, streams=True))
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        self.assertTrue(first.wait(10))
        client.send("6\r\nsecond\r\n0\r\n\r\n")
        self.assertEqual(client.read().body, b"firstsecond")

    def test_head_gets_the_length_and_no_body(self):
        def answer(request, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-Method: %s\r\n\r\n" % request.method)

        client = self.client(self.front(answer))
        for _ in range(2):
            response = client.request("HEAD")
            self.assertEqual((response.get("content-length"), response.get("x-method"), response.body), ("1234", "HEAD", b""))

    def test_head_of_a_chunked_resource_has_no_body(self):
        client = self.client(self.front(lambda _, peer: peer.send(CHUNKED)))
        for _ in range(2):
            response = client.request("HEAD")
            self.assertEqual((response.status, response.get("content-length")), (200, None))

    def test_head_of_what_is_no_route_has_no_body(self):
        gw = self.gateway({"routes": [{"path": "/only", "forward": "http://127.0.0.1:1"}]})
        client = self.client(gw)
        response = client.request("HEAD")
        self.assertEqual((response.status, response.get("content-length")), (404, str(len(harness.NO_ROUTE))))
        self.assertEqual(client.request().body, harness.NO_ROUTE)

    def test_204_and_304_have_no_body_and_no_length_of_their_own(self):
        def answer(request, peer):
            status = request.target[1:]
            peer.send("HTTP/1.1 %s X\r\nETag: \"a\"\r\n%s\r\n" % (status, "Content-Length: 99\r\n" if status == "304" else ""))

        client = self.client(self.front(answer))
        for status, length in ((204, None), (304, "99"), (204, None)):
            response = client.request(target="/%d" % status)
            self.assertEqual((response.status, response.get("content-length"), response.get("transfer-encoding")), (status, length, None))
            self.assertEqual(response.get("etag"), '"a"')

    def test_a_request_with_an_empty_body_says_so(self):
        client = self.client(self.front())
        cases = [("GET", None, None), ("POST", None, "0"), ("PUT", b"", "0"), ("DELETE", None, None), ("DELETE", b"", "0")]
        for method, body, length in cases:
            with self.subTest(method=method, body=body):
                self.assertEqual(client.request(method, body=body).status, 200)
                self.assertEqual(self.backend.requests[-1].get("content-length"), length)

    def test_every_method_and_status_passes(self):
        client = self.client(self.front(lambda request, peer: peer.reply(status="%s X" % request.target[1:])))
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            self.assertEqual(client.request(method, "/200").status, 200)
            self.assertEqual(self.backend.requests[-1].method, method)
        for status in (201, 202, 206, 301, 308, 400, 401, 404, 418, 429, 500, 503, 599):
            self.assertEqual(client.request(target="/%d" % status).status, status)


class Expectation(harness.TestCase):
    def ask_and_wait(self, request, peer):
        """An origin that says 100 before it reads."""
        if request.get("expect"):
            peer.send("HTTP/1.1 100 Continue\r\n\r\n")
        request.read()
        peer.reply(request.body)

    def test_curl_uploads_with_an_expectation(self):
        backend = self.origin(self.ask_and_wait, streams=True)
        gw = self.in_front_of(backend)
        file = self.directory / "upload"
        file.write_bytes(b"0123456789" * 20000)
        output = self.curl("-T", str(file), "-H", "Expect: 100-continue", "--expect100-timeout", "20", "http://127.0.0.1:%d/up" % gw.port)
        self.assertEqual(output, file.read_bytes())
        self.assertEqual((backend.requests[0].method, backend.requests[0].get("expect")), ("PUT", "100-continue"))

    def test_a_client_that_waits_is_told_to_go_on_by_the_upstream(self):
        gw = self.in_front_of(self.origin(self.ask_and_wait, streams=True))
        client = self.client(gw)
        for _ in range(2):
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n")
            (_, status, _), _ = wire.read_head(client.reader, wire.STATUS_LINE)
            self.assertEqual(status, "100")
            client.send("content")
            self.assertEqual(client.read().body, b"content")

    def test_an_upstream_that_refuses_at_once_spares_the_client_the_body(self):
        def refuse(_, peer):
            peer.reply(b"no", "413 Content Too Large", [("Connection", "close")])
            return False

        gw = self.in_front_of(self.origin(refuse, streams=True))
        client = self.client(gw)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        response = client.read()
        self.assertEqual((response.status, response.interim, response.get("connection")), (413, [], "close"))

    def test_an_upstream_that_answers_without_100_is_not_asked_again_on_that_connection(self):
        # Some servers leave the content of such a request unread, and take it for the next request.
        smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

        def answer(request, peer):
            # Late, so that nothing unasked comes while the connection rests: behind the next request, if that comes at all.
            if request.target == "/smuggled":
                backend.wait(lambda: "/next" in [r.target for r in backend.requests], timeout=2)
            peer.reply(request.target.encode())

        backend = self.origin(answer, streams=True)
        gw = self.in_front_of(backend, workers=1)
        client = self.client(gw)
        client.send("POST /first HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s" % (len(smuggled), smuggled))
        self.assertEqual(client.read().body, b"/first")
        self.assertTrue(backend.wait(lambda: len(backend.requests) == 2))
        self.assertEqual(self.ask(gw, target="/next").body, b"/next")
        self.assertEqual(backend.connections, 2)

    def test_an_upstream_that_said_100_is_asked_again_on_that_connection(self):
        backend = self.origin(self.ask_and_wait, streams=True)
        gw = self.in_front_of(backend, workers=1)
        client = self.client(gw)
        for _ in range(3):
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\ncontent")
            self.assertEqual(client.read().body, b"content")
        self.assertEqual(backend.connections, 1)

    def test_a_client_that_does_not_wait_is_served_as_well(self):
        gw = self.in_front_of(self.origin(self.ask_and_wait, streams=True))
        client = self.client(gw)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\ncontent")
        self.assertEqual(client.read().body, b"content")


class Interim(harness.TestCase):
    def hint(self, _, peer):
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        peer.send("HTTP/1.1 102 Processing\r\n\r\n")
        peer.reply()

    def test_early_hints_reach_an_http11_client(self):
        client = self.client(self.in_front_of(self.origin(self.hint)))
        for _ in range(2):
            response = client.request()
            self.assertEqual([(r.status, r.get("link")) for r in response.interim], [(103, "</style.css>; rel=preload"), (102, None)])
            self.assertEqual(response.body, b"ok")

    def test_an_http10_client_gets_no_interim_response(self):
        client = self.client(self.in_front_of(self.origin(self.hint)))
        response = client.request(version="HTTP/1.0")
        self.assertEqual((response.status, response.interim, response.body), (200, [], b"ok"))

    def test_an_upstream_that_never_stops_hinting_gives_502(self):
        def flood(_, peer):
            for _ in range(100):
                peer.send("HTTP/1.1 103 Early Hints\r\n\r\n")
            peer.wait_gone()
            return False

        client = self.client(self.in_front_of(self.origin(flood)))
        self.assert_message(client.request(), 502)


class Trailers(harness.TestCase):
    def test_trailers_pass_in_both_directions(self):
        def answer(request, peer):
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
            peer.send(wire.chunk(request.body) + b"0\r\nX-Sum: answer\r\nX-Empty:\r\n\r\n")

        backend = self.origin(answer)
        client = self.client(self.in_front_of(backend))
        for _ in range(2):
            client.send("POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "4\r\nbody\r\n0\r\nX-Sum: request\r\n\r\n")
            response = client.read()
            self.assertEqual((response.body, response.trailers), (b"body", [("X-Sum", "answer"), ("X-Empty", "")]))
            self.assertEqual((backend.requests[-1].body, backend.requests[-1].trailers), (b"body", [("X-Sum", "request")]))
            self.assertEqual(backend.requests[-1].get("te"), "trailers")

    def test_trailers_of_a_response_that_would_change_it_are_dropped(self):
        backend = self.origin(lambda _, peer: peer.send(CHUNKED + "0\r\nSet-Cookie: a=b\r\nX-Sum: 1\r\n\r\n"))
        self.assertEqual(self.ask(self.in_front_of(backend)).trailers, [("X-Sum", "1")])

    def test_trailers_of_a_request_that_would_change_it_are_refused(self):
        backend = self.origin()
        client = self.client(self.in_front_of(backend))
        # The content and what is wrong behind it come together: that is known at once, not when the time for more is over.
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nAuthorization: evil\r\n\r\n")
        self.assertEqual(client.read().status, 400)
        self.assertTrue(client.is_closed())
        self.assertTrue(backend.wait(lambda: backend.opened == 0))
        self.assertEqual(backend.requests, [])

    def test_trailers_are_dropped_for_http10(self):
        backend = self.origin(lambda _, peer: peer.send(CHUNKED + "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"))
        self.assertEqual(self.ask(self.in_front_of(backend), version="HTTP/1.0").body, b"ok")


if __name__ == "__main__":
    harness.main()
