"""Upstreams that send what no HTTP server should: the client is told, and nobody gets bytes of an answer that was meant for somebody else.

Each row is what the upstream sends to a request, and what the client may make of it. Behind each, the next request is answered
right, also on the same client's connection if that is still open.
"""
import array
import contextlib
import fcntl
import os
import signal
import termios
import threading

import harness
import wire

OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Evil: 1\r\n\r\nevil"

# What the client gets: an error of gw's own, a response whose end is missing, or a whole response with this status and content.
BAD = "502"
LATE = "504"
CUT = "cut"


def whole(status=200, body="ok"):
    return (status, body.encode())


# How the upstream goes on after its bytes.
CLOSE, RESET, STAY = "close", "reset", "stay"

ROWS = [
    # Status lines (RFC 9112 4).
    ("nothing at all", "", CLOSE, BAD),
    ("nothing but a reset", "", RESET, BAD),
    ("silence", "", STAY, LATE),
    ("HTTP/0.9: content alone", "<html>hello</html>", CLOSE, BAD),
    ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", STAY, BAD),
    ("ICY", "ICY 200 OK\r\n\r\n", STAY, BAD),
    ("TLS", "\x16\x03\x01\x00\x05hello", STAY, BAD),
    ("HTTP/2 frames", "\0\0\x12\4\0\0\0\0\0" + "\0" * 18, STAY, BAD),
    ("HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("HTTP/2", "HTTP/2 200\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("HTTP/1.2", "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("HTTP/0.9 in words", "HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("HTTP/1.10", "HTTP/1.10 200 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("lower case", "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("no status", "HTTP/1.1\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("an empty status", "HTTP/1.1 \r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status 0", "HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status 99", "HTTP/1.1 99 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status 099", "HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status 600", "HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status 999", "HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status 1000", "HTTP/1.1 1000 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status -200", "HTTP/1.1 -200 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status 2e2", "HTTP/1.1 2e2 X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("status in words", "HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a tab before the status", "HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("an empty line first", "\r\n" + OK + "Content-Length: 2\r\n\r\nok", STAY, BAD),
    ("a space first", " " + OK + "Content-Length: 2\r\n\r\nok", STAY, BAD),
    ("a byte order mark first", "\xef\xbb\xbf" + OK + "Content-Length: 2\r\n\r\nok", STAY, BAD),
    ("NUL in the reason", "HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a bare CR in the reason", "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a reason without end", "HTTP/1.1 200 " + "O" * 20000, STAY, BAD),
    # Strict gateways may take it, too: the client gets a reason of gw's own.
    ("no reason and no space", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", STAY, whole()),
    ("a reason that looks like a header", "HTTP/1.1 200 X-Evil: 1\r\nContent-Length: 2\r\n\r\nok", STAY, whole()),

    # Fields (RFC 9112 5).
    ("a bare LF behind the status line", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("bare LFs only", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", STAY, BAD),
    ("a bare LF at the end of the head", OK + "Content-Length: 2\r\n\nok", STAY, BAD),
    ("a bare LF in a value", OK + "X: y\nX-Evil: 1\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a bare CR in a value", OK + "X: y\rX-Evil: 1\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("CR CR LF", OK + "Content-Length: 2\r\r\n\r\nok", STAY, BAD),
    ("a folded field", OK + "X: y\r\n z\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a folded length", OK + "Content-Length:\r\n 2\r\n\r\nok", STAY, BAD),
    ("a fold before the first field", OK + " X: y\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a space before the colon", OK + "X : y\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("no colon", OK + "X\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("no name", OK + ": y\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("NUL in a name", OK + "X\0: y\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("NUL in a value", OK + "X: a\0b\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a control in a value", OK + "X: a\x1bb\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("UTF-8 in a name", OK + "X\xc3\xa9: y\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a field of 20,000 bytes", OK + "X: %s\r\nContent-Length: 2\r\n\r\nok" % ("y" * 20000), STAY, BAD),
    ("200 fields", OK + "X: y\r\n" * 200 + "Content-Length: 2\r\n\r\nok", STAY, BAD),
    ("a head without end", OK + "X: y\r\n" * 20000, STAY, BAD),
    ("a head that stops", OK + "Content-", STAY, LATE),
    ("a head that is cut off", OK + "Content-Length: 2\r\n", CLOSE, BAD),
    ("a head that is reset", OK + "Content-Length: 2\r\n", RESET, BAD),

    # Lengths (RFC 9112 6.2, 6.3).
    ("two lengths", OK + "Content-Length: 2\r\nContent-Length: 4\r\n\r\nokevil", STAY, BAD),
    ("two equal lengths", OK + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", STAY, BAD),
    ("a list of lengths", OK + "Content-Length: 2, 2\r\n\r\nok", STAY, BAD),
    ("a length below zero", OK + "Content-Length: -2\r\n\r\nok", STAY, BAD),
    ("a length with a plus", OK + "Content-Length: +2\r\n\r\nok", STAY, BAD),
    ("an empty length", OK + "Content-Length:\r\n\r\nok", STAY, BAD),
    ("a length in hexadecimal", OK + "Content-Length: 0x2\r\n\r\nok", STAY, BAD),
    ("a length with a zero in front", OK + "Content-Length: 02\r\n\r\nok", STAY, BAD),
    ("a length in words", OK + "Content-Length: two\r\n\r\nok", STAY, BAD),
    ("a length of 63 bits and one", OK + "Content-Length: 9223372036854775808\r\n\r\nok", STAY, BAD),
    ("a length of 64 bits and one", OK + "Content-Length: 18446744073709551616\r\n\r\nok", STAY, BAD),
    ("a length of 100 digits", OK + "Content-Length: %s\r\n\r\nok" % ("9" * 100), STAY, BAD),
    ("a length and chunks", OK + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", STAY, BAD),
    ("chunks and a length", OK + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", STAY, BAD),
    ("a bad length with 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n", STAY, BAD),

    # Transfer codings (RFC 9112 6.1, 7).
    ("chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", STAY, BAD),
    ("a coding before chunked", OK + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", STAY, BAD),
    ("a coding instead of chunked", OK + "Transfer-Encoding: gzip\r\n\r\nok", CLOSE, BAD),
    ("a coding behind chunked", OK + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", STAY, BAD),
    ("identity", OK + "Transfer-Encoding: identity\r\n\r\nok", CLOSE, BAD),
    ("chunked twice", OK + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", STAY, BAD),
    ("chunked in a list with itself", OK + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", STAY, BAD),
    ("chunked with a parameter", OK + "Transfer-Encoding: chunked; q=1\r\n\r\n0\r\n\r\n", STAY, BAD),
    ("an empty coding", OK + "Transfer-Encoding:\r\n\r\nok", CLOSE, BAD),
    ("a vertical tab before chunked", OK + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", STAY, BAD),

    # Chunks (RFC 9112 7.1): the head has left when they are seen, so the client's response lacks its end.
    ("a chunk size in words", CHUNKED + "two\r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk size below zero", CHUNKED + "-2\r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk size in C's notation", CHUNKED + "0x2\r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk size with a space", CHUNKED + "2 \r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("no chunk size", CHUNKED + "\r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk size of 17 digits", CHUNKED + "00000000000000002\r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("chunk sizes that overflow", CHUNKED + "2\r\nok\r\nffffffffffffffff\r\nevil", STAY, CUT),
    ("a bare LF behind a chunk size", CHUNKED + "2\nok\r\n0\r\n\r\n", STAY, CUT),
    ("a bare CR behind a chunk size", CHUNKED + "2\rok\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk that is longer than its size", CHUNKED + "2\r\nok!\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk that is shorter than its size", CHUNKED + "4\r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("a bare LF behind a chunk", CHUNKED + "2\r\nok\n0\r\n\r\n", STAY, CUT),
    ("a line end in a chunk extension", CHUNKED + "2;a=\"\r\nok\"\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk extension without name", CHUNKED + "2;\r\nok\r\n0\r\n\r\n", STAY, CUT),
    ("a chunk extension without end", CHUNKED + "2;" + "a" * 20000, STAY, CUT),
    ("no chunks although announced", CHUNKED + "ok", STAY, CUT),
    ("a chunk that stops", CHUNKED + "5\r\nok", STAY, CUT),
    ("a chunk that is cut off", CHUNKED + "5\r\nok", CLOSE, CUT),
    ("a chunk that is reset", CHUNKED + "5\r\nok", RESET, CUT),
    ("no last chunk", CHUNKED + "2\r\nok\r\n", CLOSE, CUT),
    ("half a last chunk", CHUNKED + "2\r\nok\r\n0", CLOSE, CUT),
    ("no end behind the last chunk", CHUNKED + "2\r\nok\r\n0\r\n", CLOSE, CUT),
    ("a length in trailers", CHUNKED + "2\r\nok\r\n0\r\nContent-Length: 4\r\n\r\n", STAY, CUT),
    ("a transfer coding in trailers", CHUNKED + "2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", STAY, CUT),
    ("Connection in trailers", CHUNKED + "2\r\nok\r\n0\r\nConnection: close\r\n\r\n", STAY, CUT),
    ("a response in place of trailers", CHUNKED + "2\r\nok\r\n0\r\n" + EVIL, STAY, CUT),
    ("a folded trailer", CHUNKED + "2\r\nok\r\n0\r\nX: y\r\n z\r\n\r\n", STAY, CUT),
    ("trailers without end", CHUNKED + "2\r\nok\r\n0\r\n" + "X: y\r\n" * 10000, STAY, CUT),

    # Early ends.
    ("content that is cut off", OK + "Content-Length: 10\r\n\r\nok", CLOSE, CUT),
    ("content that is reset", OK + "Content-Length: 10\r\n\r\nok", RESET, CUT),
    ("content that stops", OK + "Content-Length: 10\r\n\r\nok", STAY, CUT),
    ("no content although announced", OK + "Content-Length: 10\r\n\r\n", CLOSE, CUT),
    ("a huge length and little content", OK + "Content-Length: 9223372036854775807\r\n\r\nok", CLOSE, CUT),
    ("content until the end, which is a reset", OK + "\r\nok", RESET, CUT),
    ("content until the end, which does not come", OK + "\r\nok", STAY, CUT),
    # Well-formed: nothing tells an end that is too early from the right one.
    ("content until the end", OK + "\r\nok", CLOSE, whole()),
    ("content until the end, of HTTP/1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nok", CLOSE, whole()),

    # Bytes behind the response: well-formed so far, so the client gets it; the connection is not used again.
    ("bytes behind the content", OK + "Content-Length: 2\r\n\r\nokevil", STAY, whole()),
    ("a response behind the content", OK + "Content-Length: 2\r\n\r\nok" + EVIL, STAY, whole()),
    ("a response behind the last chunk", CHUNKED + "2\r\nok\r\n0\r\n\r\n" + EVIL, STAY, whole()),
    ("a line end behind the content", OK + "Content-Length: 2\r\n\r\nok\r\n", STAY, whole()),
    ("content with a length of 0", OK + "Content-Length: 0\r\n\r\n" + EVIL, STAY, whole(body="")),
    ("204 with content", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", STAY, whole(204, "")),
    ("204 with chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", STAY, whole(204, "")),
    ("204 that only announces content", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", STAY, whole(204, "")),
    ("304 with content", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", STAY, whole(304, "")),
    ("304 with a response", "HTTP/1.1 304 Not Modified\r\n\r\n" + EVIL, STAY, whole(304, "")),
    ("205 with content", "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok", STAY, whole(205)),

    # Interim responses (RFC 9110 15.2).
    ("1xx without end", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 2000, STAY, BAD),
    ("1xx of every kind without end", "".join("HTTP/1.1 1%02d X\r\n\r\n" % n for n in range(2, 100)), STAY, BAD),
    ("1xx and nothing more", "HTTP/1.1 103 Early Hints\r\n\r\n", CLOSE, BAD),
    ("1xx and silence", "HTTP/1.1 102 Processing\r\n\r\n", STAY, LATE),
    ("1xx with content", "HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nevil" + OK + "Content-Length: 2\r\n\r\nok", STAY, BAD),
    ("1xx whose content is a response", "HTTP/1.1 103 Early Hints\r\nContent-Length: %d\r\n\r\n%s" % (len(EVIL), EVIL), STAY, BAD),
    ("1xx with chunks", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
     + OK + "Content-Length: 2\r\n\r\nok", STAY, BAD),
    ("1xx and then nonsense", "HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n\r\n", STAY, BAD),
    ("1xx that is malformed", "HTTP/1.1 103 Early Hints\r\nX : y\r\n\r\n" + OK + "Content-Length: 2\r\n\r\nok", STAY, BAD),
    ("101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: evil\r\n\r\nevil", STAY, BAD),
    ("101 behind 100", "HTTP/1.1 100 Continue\r\n\r\n"
     "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: evil\r\n\r\nevil", STAY, BAD),
    ("100 that nobody asked for", "HTTP/1.1 100 Continue\r\n\r\n" + OK + "Content-Length: 2\r\n\r\nok", STAY, whole()),
]

# The same to HEAD, whose response has no content whatever it says (RFC 9112 6.3).
HEAD_ROWS = [
    ("content", OK + "Content-Length: 4\r\n\r\nevil", STAY, whole(200, "")),
    ("chunks", CHUNKED + "4\r\nevil\r\n0\r\n\r\n", STAY, whole(200, "")),
    ("content until the end", OK + "\r\nevil", CLOSE, whole(200, "")),
    ("a response in place of content", OK + "Content-Length: %d\r\n\r\n%s" % (len(EVIL), EVIL), STAY, whole(200, "")),
    ("two lengths", OK + "Content-Length: 4\r\nContent-Length: 2\r\n\r\n", STAY, BAD),
    ("a length and chunks", OK + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", STAY, BAD),
    ("a length below zero", OK + "Content-Length: -1\r\n\r\n", STAY, BAD),
    ("a head that is cut off", OK + "Content-Len", CLOSE, BAD),
]


class HostileUpstream(harness.TestCase):
    limit = 180

    def setUp(self):
        super().setUp()
        self.backend = self.origin(self.answer)
        # One worker, so that a connection which is kept by mistake is used by the next request.
        self.gw = self.in_front_of(self.backend, workers=1, upstream={"timeouts": {"first_byte": "300ms", "body": "300ms"}})

    def answer(self, request, peer):
        where, _, number = request.target[1:].partition("/")
        if where == "good":
            return peer.reply(b"good %s" % number.encode())
        _, data, then, _ = {"get": ROWS, "post": ROWS, "old": ROWS, "head": HEAD_ROWS}[where][int(number)]
        try:
            peer.send(data)
        except OSError:
            return False  # gw had enough
        if then == RESET:
            peer.reset()
        return then == STAY

    def outcome(self, client, method, version="HTTP/1.1"):
        """What the client sees: the number of gw's error, CUT, or status and content."""
        try:
            response = client.read(method)
        except (wire.Cut, ConnectionResetError):
            return CUT
        if response.get("content-type") == "application/json":
            return str(response.status)
        self.assertEqual((response.get("x-evil"), [r.get("x-evil") for r in response.interim if r.get("x-evil")]), (None, []))
        return response.status, response.body

    def assert_goes_on(self, client, number):
        """That the next requests are answered right: that of the same client, if it still can, and those of others."""
        expected = (200, b"good %d" % number)
        try:
            client.ask(target="/good/%d" % number)
            same = self.outcome(client, "GET")
        except OSError:
            same = CUT
        self.assertIn(same, (expected, CUT))
        for _ in range(2):
            response = self.ask(self.gw, target="/good/%d" % number)
            self.assertEqual((response.status, response.body), expected)

    def run_rows(self, rows, kind, method, version="HTTP/1.1", body=None):
        for number, (what, _, _, expected) in enumerate(rows):
            with self.subTest(what, method=method, version=version):
                client = self.client(self.gw)
                client.ask(method, "/%s/%d" % (kind, number), body=body, version=version)
                self.assertEqual(self.outcome(client, method), expected)
                self.assert_goes_on(client, number)
                client.close()
        self.assertEqual(self.backend.faults, [])

    def test_there_are_enough_rows_of_each_kind(self):
        self.assertGreaterEqual(sum(expected in (BAD, LATE, CUT) for *_, expected in ROWS), 80)
        self.assertEqual(len({what for what, *_ in ROWS}), len(ROWS))

    def test_a_get_gets_502_or_sees_what_is_missing(self):
        self.run_rows(ROWS, "get", "GET")

    def test_a_post_does_too(self):
        self.run_rows(ROWS, "post", "POST", body=b"content")

    def test_an_http10_client_does_too(self):
        # What it is told without a length lasts until its connection ends; that end is a reset if it is not the right one.
        self.run_rows(ROWS, "old", "GET", version="HTTP/1.0")

    def test_head_gets_no_content_and_leaves_none_behind(self):
        self.run_rows(HEAD_ROWS, "head", "HEAD")


def has_arrived(connection):
    """Whether the other end's system has taken all that was sent."""
    unsent = array.array("i", [0])
    fcntl.ioctl(connection, termios.TIOCOUTQ, unsent)
    return unsent[0] == 0


class WhileBusy(harness.TestCase):
    """What an upstream does while the worker is busy is found together with what clients do, and behind it."""

    @contextlib.contextmanager
    def stopped(self, gateway):
        gateway.signal(signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, gateway.pid, os.WSTOPPED | os.WNOWAIT)
            yield
        finally:
            gateway.signal(signal.SIGCONT)

    def test_what_a_resting_connection_says_does_not_become_an_answer(self):
        peers = []

        def answer(_request, peer):
            peers.append(peer)
            peer.reply(b"good")

        gateway = self.in_front_of(self.origin(answer), workers=1)
        for _ in range(5):
            client = self.client(gateway)
            self.assertEqual(client.request("GET").body, b"good")
            with self.stopped(gateway):
                client.ask("GET")
                self.assertTrue(harness.eventually(lambda: has_arrived(client.socket)))
                peers[-1].send(EVIL)
                self.assertTrue(harness.eventually(lambda: has_arrived(peers[-1].socket)))
            self.assertEqual(client.read().body, b"good")
            self.assertEqual(len({peer.number for peer in peers[-2:]}), 2)

    def test_a_connection_that_breaks_while_the_request_is_sent_does_not_look_ended(self):
        has_answered, may_break = threading.Event(), threading.Event()

        def answer(_request, peer):
            peer.send("HTTP/1.1 200 OK\r\n\r\nfirst part")
            has_answered.set()
            may_break.wait(10)
            peer.reset()
            return False

        backend = self.origin(answer, streams=True)
        gateway = self.in_front_of(backend, workers=1)
        for version in ("HTTP/1.1", "HTTP/1.0"):
            with self.subTest(version):
                has_answered.clear()
                may_break.clear()
                client = self.client(gateway)
                client.send("POST / %s\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" % version + "x" * 100)
                self.assertTrue(has_answered.wait(10))
                pieces = client.pieces(client.head())
                self.assertEqual(next(pieces), b"first part")
                with self.stopped(gateway):
                    client.send("x" * 100)
                    self.assertTrue(harness.eventually(lambda: has_arrived(client.socket)))
                    may_break.set()
                    self.assertTrue(backend.wait(lambda: backend.opened == 0))
                with self.assertRaises((wire.Cut, ConnectionResetError)):
                    list(pieces)


if __name__ == "__main__":
    harness.main()
