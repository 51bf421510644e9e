"""Ambiguous requests by the thousands: what reaches the upstream is what a strict reader finds in what was sent, and nothing else.

The seed is fixed. A message that fails is printed as Python bytes; `differential_test.py GW` with `SEED=n` in the environment tries others.
"""
import collections
import itertools
import json
import os
import random
import socket
import threading
import zlib

import harness
import strict_http
import wire
from metrics_test import MetricsCase

SEED = int(os.environ.get("SEED", "1"))
THREADS = 4

# Bytes that parsers have taken for white space, line ends, separators, digits, or the end of a string; and both sides of each class.
SPITEFUL = bytes({*b"\0\1\t\n\v\f\r\x1b\x1f !\"#%',-./09:;=@AZ[\\]_`az{|}~\x7f\x80\x85\xa0\xff+0x"})
SMUGGLED = b"GET /smuggled?smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"

LENGTHS = [b"Content-Length: 3", b"content-length:3", b"CONTENT-LENGTH: 3", b"Content-Length: 0", b"Content-Length: 13",
           b"Content-Length: 03", b"Content-Length: +3", b"Content-Length: -1", b"Content-Length: 3,3", b"Content-Length: 3, 13",
           b"Content-Length:", b"Content-Length: 0x3", b"Content-Length: 3.0", b"Content-Length: 1e1", b"Content-Length: ''3",
           b"Content-Length: 3;", b"Content-Length: \"3\"", b"Content-Length : 3", b"Content-Length\t: 3", b"Content-Length:\t3",
           b"Content-Length:  3", b"Content-Length: 3 ", b" Content-Length: 3", b"Content_Length: 3", b"Content-Length: 3_0",
           b"Content-Length: 18446744073709551619", b"Content-Length: 9223372036854775811", b"Content-Length:\r\n 3",
           b"Content-Length: 3\r\n ", b"X: y\nContent-Length: 3", b"X: y\rContent-Length: 3", b"Content-Length: \xb3"]
CODINGS = [b"Transfer-Encoding: chunked", b"transfer-encoding:chunked", b"TRANSFER-ENCODING: CHUNKED", b"Transfer-Encoding: cHuNkEd",
           b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: chunked, chunked",
           b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: identity",
           b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding:", b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,",
           b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding : chunked",
           b"Transfer-Encoding\t: chunked", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding:  chunked",
           b"Transfer-Encoding: chunked ", b"Transfer-Encoding: chunked\t", b"Transfer-Encoding: \vchunked",
           b"Transfer-Encoding: chunked\f", b" Transfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked",
           b"Transfer-Encoding: chunked\r\n x", b"Transfer_Encoding: chunked", b"X: y\nTransfer-Encoding: chunked",
           b"X: y\rTransfer-Encoding: chunked", b"X:\rTransfer-Encoding: chunked", b"Transfer-Encoding: chunk\0ed",
           b"Transfer-Encoding: chun\x00ked", b"Transfer-Encoding: \xe3hunked", b"TE: chunked", b"TE: trailers"]
OTHERS = [b"Connection: close", b"Connection: keep-alive", b"Connection: Content-Length", b"Connection: Transfer-Encoding",
          b"Connection: Host, X", b"Connection: upgrade", b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive",
          b"Expect: 100-continue", b"Expect: 100-continue, x", b"Trailer: X-Sum", b"X: y", b"X:", b"X-Long: " + b"y" * 300, b"Host: b",
          b"host:a", b"Cookie: a=b; c", b"X\xe9: y", b"X: \xe9", b": y", b"X-A: b\r\n\tc", b"Content-Type: text/plain",
          b"Range: bytes=0-", b"Date: today", b"Via: 1.0 a", b"Forwarded: for=1", b"X_A: b"]

METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH", b"PROPFIND", b"get", b"Get", b"GET\t", b" GET",
           b"", b"G\0ET", b"GET\xff", b"CONNECT", b"PRI", b"BREW", b"GE", b"GETS", b"M-SEARCH", b"\"GET\"", b"GET/", b"HTTP/1.1",
           b"A" * 40]
TARGETS = [b"/x?%d", b"/?%d", b"/x/../y?%d", b"//x?%d", b"/%%2e%%2e/x?%d", b"/%%2Fx?%d", b"/%%00?%d", b"/%%0d%%0a?%d", b"/x%%?%d",
           b"/\\x?%d", b"/x;y?%d", b"*", b"*?%d", b"http://b/x?%d", b"HTTP://b:80?%d", b"https://[::1]/?%d", b"http://u@b/?%d",
           b"http:///x?%d", b"http://b:x/?%d", b"http://b,c/?%d", b"http:/x?%d", b"ftp://b/?%d", b"b:80", b"x?%d", b"?%d", b"/x?%d#f",
           b"/x#?%d", b"/\xc3\xa9?%d", b"/x\0?%d", b"/x\x7f?%d", b"/x y?%d", b"/x?%d\"<>|^`{}", b"/{x}|\"<>?%d", b"", b"/x\t?%d",
           b"http://b", b"http://b/%%5c?%d", b"http://[1::2::3]/?%d", b"http://b%%zz/?%d"]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1.01", b"HTTP/1,1",
            b"http/1.1", b"HTTP/1.1 ", b"HTTP/ 1.1", b"HTTP/1", b"HTTP/.1", b"HTTP/1.", b"HTTP/1.1\t", b"HTTP/1.1x", b"HTTPS/1.1",
            b"RTSP/1.0", b"", b"\xc0TTP/1.1", b"HTTP\\1.1"]
HOSTS = [b"Host: a", b"Host: a:80", b"host:a", b"HOST: a.b", b"Host: a:", b"Host:", b"Host: ", b"Host: a\r\nHost: a",
         b"Host: a\r\nhost: b", b"Host: a, b", b"Host: a,b", b"Host: a b", b"Host: u@a", b"Host: a/x", b"Host: http://a", b"Host: a?x",
         b"Host: a#x", b"Host: a:65536", b"Host: a:-1", b"Host: a:8x", b"Host: :80", b"Host: [::1]", b"Host: [::1]:80", b"Host: [::1",
         b"Host: ::1", b"Host: [1.2.3.4]", b"Host: [::1%25x]", b"Host: [v1.a]", b"Host: a%41", b"Host: a%4", b"Host: a%0a", b"Host: \xe9",
         b"Host: a\0", b"Host: a\\b", b"Host: a\tb", b"Host : a", b"Host:\ta", b"\tHost: a", b"X: y", b"Host: a_b", b"Host: a;b=c",
         b"Host: 1.2.3.4.5"]

SIZES = [b"3", b"03", b"3 ", b" 3", b"\t3", b"3\t", b"+3", b"-3", b"0x3", b"3h", b"", b"3.", b"0003", b"0000000000000003",
         b"00000000000000003", b"1_0", b"3\0", b"3\v", b"\xb3", b"3,3", b"FFFFFFFFFFFFFFFF", b"ffffffffffffffff3", b"10000000000000003",
         b"4", b"2", b"g", b"3\r", b"\n3", b"a", b"A", b"80000000", b"8000000000000000"]
EXTENSIONS = [b"", b";", b";a", b";a=b", b";a=\"b\"", b";a=\"b\r\nc\"", b";a=\"b\nc\"", b";a=\"", b"; a", b" ;a", b";a =b", b";a= b",
              b";a;b;c=d", b";\0", b";a=\"\\\"\"", b";a\xe9", b";a=\"\xe9\"", b";a=b\n", b";a=b\rc", b",a", b" a", b";a=[b]",
              b";" + b"a" * 300]
ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\n\n", b"\r\n\r\n", b"", b" \r\n", b"\r\n ", b"\rX", b"\0\r\n", b"\v\n", b"\x0d\x85"]
TRAILERS = [b"", b"X-Sum: 1\r\n", b"x:y\r\nz: \r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n",
            b"X : y\r\n", b"X: y\n", b" X: y\r\n", b"X: y\r\n z\r\n", b"X\r\n", b"Authorization: x\r\n", b"X: \0\r\n", b"X: y\rz\r\n",
            b"GET / HTTP/1.1\r\n", b"Set-Cookie: a\r\n", b"Trailer: x\r\n", b"\r\n", b"content_length: 3\r\n",
            b"TRANSFER_ENCODING: chunked\r\n"]


class Generator:
    """Messages that are nearly right. Each has a number in its query, so that it is known again."""

    def __init__(self):
        self.random = random.Random(SEED)
        self.made = []

    def add(self, kind, make):
        """`make(number)` gives the bytes."""
        number = len(self.made)
        self.made.append((kind, make(number)))

    def everything(self):
        self.bytes_everywhere()
        self.framing_fields()
        self.chunks()
        self.line_ends()
        self.first_lines()
        self.random.shuffle(self.made)
        return self.made

    def bytes_everywhere(self):
        """A byte put into a request, or in place of one: at each place of the lines that matter; all bytes where parts meet."""
        lines = ((b"Content-Length: 3", b"abc"), (b"Transfer-Encoding: chunked", CHUNKS), (b"Host: a", b""), (b"POST /x?%d HTTP/1.1", b""))
        for line, body in lines:
            colon = line.find(b":")
            meeting = {0, colon, colon + 1, colon + 2, len(line) - 1, len(line)} if colon > 0 else {0, 4, 5, 8, 9, len(line)}
            for place in range(len(line) + 1):
                for byte in range(256) if place in meeting else SPITEFUL:
                    for length in (0, 1):
                        if place in meeting and length == 1 and byte not in SPITEFUL:
                            continue
                        damaged = line[:place] + bytes([byte]) + line[place + length:]
                        self.add("byte", lambda n, line=line, damaged=damaged, body=body: self.with_line(n, line, damaged, body))
        for _ in range(1500):
            fields, body = self.random.choice(lines[:2])
            self.add("byte", lambda n, fields=fields, body=body: self.damage(self.post(n, fields, body)))

    def with_line(self, number, line, damaged, body):
        if line.startswith(b"POST"):
            # The line is a format, of which the damage may be a part.
            return damaged.replace(b"%d", b"%d" % number) + b"\r\nHost: a\r\n\r\n" + SMUGGLED
        if line.startswith(b"Host"):
            return b"GET /x?%d HTTP/1.1\r\n" % number + damaged + b"\r\n\r\n" + SMUGGLED
        return self.post(number, damaged, body)

    def post(self, number, fields, body):
        return b"POST /x?%d HTTP/1.1\r\nHost: a\r\n" % number + fields + b"\r\n\r\n" + body + SMUGGLED

    def damage(self, message):
        place = self.random.randrange(len(message))
        return message[:place] + self.random.choice([b"", bytes([self.random.randrange(256)])]) + message[place + self.random.randrange(2):]

    def framing_fields(self):
        """Framing fields in all spellings, twice, beside each other and beside others."""
        for _ in range(1600):
            kinds = self.random.choice([(LENGTHS,), (CODINGS,), (CODINGS,), (LENGTHS, CODINGS), (LENGTHS, LENGTHS), (CODINGS, CODINGS)])
            fields = [self.mostly_first(kind) for kind in kinds]
            fields += self.random.sample(OTHERS, self.random.choice([0, 0, 1, 2]))
            self.random.shuffle(fields)
            body = self.random.choice([b"", b"abc", CHUNKS, CHUNKS, b"0\r\n\r\n"])
            self.add("fields", lambda n, fields=fields, body=body: self.post(n, b"\r\n".join(fields), body))

    def chunks(self):
        lasts = [b"0", b"00", b"-0", b"0x0", b"", b"0000000000000000", b"00000000000000000"]
        parts = (SIZES, EXTENSIONS, ENDS, [b"abc"], ENDS, lasts, EXTENSIONS, ENDS, TRAILERS, ENDS)
        for _ in range(1600):
            body = b"1\r\nz\r\n" * self.random.randrange(2) + b"".join(map(self.mostly_first, parts))
            self.add("chunks", lambda n, body=body: self.post(n, b"Transfer-Encoding: chunked", body))

    def mostly_first(self, parts):
        return parts[0] if self.random.random() < 0.85 else self.random.choice(parts)

    def line_ends(self):
        for fields, body in itertools.product((b"Content-Length: 3", b"Transfer-Encoding: chunked", b"X: y"), (b"abc", CHUNKS, b"")):
            lines = self.post(0, fields, body).split(b"\r\n")
            for place, end in itertools.product(range(1, len(lines) - 1), ENDS):
                def make(n, lines=lines, place=place, end=end):
                    return b"\r\n".join(lines[:place]).replace(b"?0", b"?%d" % n, 1) + end + b"\r\n".join(lines[place:])
                self.add("line ends", make)

    def first_lines(self):
        """Methods, targets, versions and hosts: each of them with otherwise good ones, then mixed."""
        parts = (METHODS, TARGETS, VERSIONS, HOSTS)
        usual = (b"GET", b"/x?%d", b"HTTP/1.1", b"Host: a")
        mixed = [usual[:i] + (odd,) + usual[i + 1:] for i, all_ in enumerate(parts) for odd in dict.fromkeys(all_)]
        mixed += [tuple(map(self.mostly_first, parts)) for _ in range(900)]
        for method, target, version, host in mixed:
            def make(n, method=method, target=target, version=version, host=host):
                target = target % n if b"%d" in target else target
                return method + b" " + target + b" " + version + b"\r\n" + host + b"\r\n\r\n" + SMUGGLED
            self.add("first line", make)


def seen(request):
    """What tells requests apart, as text: the origin answers with it, and the client knows what it should be."""
    trailers = sorted((name.lower(), value) for name, _, value, _ in request.trailers)
    query = "-" if request.query is None else request.query.decode("latin-1")
    return "%s %d %d %s" % (request.method.decode("latin-1"), zlib.crc32(request.body), zlib.crc32(repr(trailers).encode()), query)


class Recorder:
    """An origin that keeps every byte, and answers what the strict reader finds in them."""

    def __init__(self):
        self.streams, self.faults = [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = bytearray()
            self.streams.append(stream)
            threading.Thread(target=self.serve, args=(connection, stream), daemon=True).start()

    def serve(self, connection, stream):
        at = 0
        with connection:
            while True:
                try:
                    more = connection.recv(65536)
                except OSError:
                    return
                if not more:
                    return
                stream += more
                try:
                    request = strict_http.Request(bytes(stream), at)
                except strict_http.Incomplete:
                    continue
                except strict_http.Refused as e:
                    self.faults.append((str(e), bytes(stream[at:])))
                    return
                at = request.end
                content = b"" if request.method == b"HEAD" else b"ok"
                try:
                    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Seen: %s\r\n\r\n" % seen(request).encode("latin-1")
                    connection.sendall(head + content)
                except OSError:
                    return

    @property
    def requests(self):
        """Those that came, as heads that can be compared with explanations."""
        found = []
        for stream in self.streams:
            wire.Questions(found).feed(bytes(stream))
        return found

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


class Differential(MetricsCase):
    limit = 240

    def setUp(self):
        super().setUp()
        self.recorder = Recorder()
        self.origins.append(self.recorder)
        self.addCleanup(self.recorder.close)
        self.log = self.directory / "access.log"
        # One worker: what a message leaves behind on a connection to the upstream meets the requests that follow.
        log = {"file": str(self.log), "format": "json", "fields": ["method", "target", "status"]}
        self.gw = self.gateway({"workers": 1, "use": [{"access_log": log}],
                                "upstreams": {"origin": [self.recorder.address]}, "routes": [{"prefix": "/", "forward": "origin"}]})
        self.problems = []

    def test_what_reaches_the_upstream_is_what_a_strict_reader_finds(self):
        messages = Generator().everything()
        self.assertGreaterEqual(len({message for _, message in messages}), 3000)
        work = enumerate(messages)
        lock = threading.Lock()
        outcomes = collections.Counter()

        def run():
            with wire.Client(self.gw.port) as clean:
                while len(self.problems) < 20:
                    with lock:
                        number, (kind, message) = next(work, (None, (None, None)))
                    if message is None:
                        return
                    found = self.send(kind, message)
                    self.ask_clean(clean, number, message)
                    with lock:
                        outcomes[found] += 1

        threads = [threading.Thread(target=run) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual("\n".join(self.problems[:20]), "")
        self.assertEqual(sum(outcomes.values()), len(messages))
        # Enough of each kind: a generator whose messages are all refused at their first byte would find nothing.
        print("%d messages: %s" % (len(messages), dict(outcomes)))
        for outcome in ("Refused", "None", "Incomplete"):
            self.assertGreater(outcomes[outcome], 20)
        self.compare_records()

    def send(self, kind, message):
        """Sends a message and compares the answers with what the strict reader finds in it; how that ended."""
        requests, end = strict_http.read_all(message)

        def complain(what):
            self.problems.append("%s: %s\n  sent %r\n  strictly read: %s, then %r" % (kind, what, message, requests, end))

        with wire.Client(self.gw.port) as client:
            try:
                client.send(message)
                for request in requests:
                    response = client.read(request.method.decode("latin-1"))
                    if not request.has_path:
                        if response.status < 400:
                            complain("a path that cannot be read got %d" % response.status)
                        if request.body or request.is_chunked:
                            return type(end).__name__.replace("NoneType", "None")  # gw may close now
                    elif response.status != 200 or response.get("x-seen") != seen(request):
                        complain("got %d for %r" % (response.status, response.get("x-seen")))
                        return "wrong"
                if isinstance(end, strict_http.Incomplete):
                    client.socket.shutdown(socket.SHUT_WR)
                if end is not None:
                    response = client.read()
                    if response.status < 400:
                        complain("got %d for what is no request" % response.status)
                    elif not client.is_closed():
                        complain("the connection stays open")
            except wire.Cut as e:
                if not isinstance(end, strict_http.Incomplete):
                    complain("closed without an answer: %s" % e)
            except (wire.Malformed, OSError) as e:
                complain("%s %s" % (type(e).__name__, e))
        return type(end).__name__.replace("NoneType", "None")

    def ask_clean(self, client, number, after):
        """That a request is answered right, on a connection of its own and on the upstream's that the message may have used."""
        response = client.request(target="/clean?clean%d" % number)
        if (response.status, response.get("x-seen"), response.body) != (200, "GET 0 %d clean%d" % (zlib.crc32(b"[]"), number), b"ok"):
            self.problems.append("a clean request got %d %r behind %r" % (response.status, response.fields, after))

    def compare_records(self):
        """That the upstream got the requests that gw counted, and nothing else but the beginnings of some that it gave up."""
        self.assertEqual(self.recorder.faults, [])
        reached = collections.Counter()
        for stream in self.recorder.streams:
            requests, end = strict_http.read_all(bytes(stream))
            self.assertNotIsInstance(end, strict_http.Refused)
            for request in requests:
                self.assertEqual((request.is_http10, request.is_last), (False, False))
                self.assertEqual(request.all(b"host"), [self.recorder.address.encode()])
                reached[request.method.decode(), request.query and request.query.decode()] += 1
        numbers = self.settled(self.gw, sum(reached.values()))
        self.assertEqual(numbers("gw_upstream_requests_total", outcome="2xx"), sum(reached.values()))
        self.assertEqual(numbers("gw_requests_total", status="200"), sum(reached.values()))
        logged = collections.Counter()
        for line in self.log.read_text().splitlines():
            entry = json.loads(line)
            if entry["status"] == 200:
                _, mark, query = entry["target"].partition("?")
                logged[entry["method"], query if mark else None] += 1
        self.assertEqual(logged, reached)


if __name__ == "__main__":
    harness.main()
