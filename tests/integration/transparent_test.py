"""curl at an origin, and at gw in front of it: both have to give the same, but for what a proxy changes.

The origins are real servers, http.server of Python and nginx. `ADDED`, `OWN` and `VERSION` below are all that may differ;
docs/upstreams.md says the same ("What the upstream gets", "What the client gets").
"""
import hashlib
import http.server
import json
import os
import subprocess
import threading

import harness
import wire

MIB = 1024 * 1024

# Fields that a request has behind gw and does not have in front of it.
ADDED = {"via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"}
# Fields about one connection, which gw writes itself, and the time, which goes on between two runs.
OWN = {"connection", "keep-alive", "transfer-encoding", "date"}
# What gw speaks to an upstream, whatever the client speaks.
VERSION = "HTTP/1.1"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def content(self):
        """The pieces of the request's body."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size:
                    yield self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return
        left = int(self.headers.get("content-length", "0"))
        while left:
            piece = self.rfile.read(min(left, MIB))
            if not piece:
                raise ConnectionError("the body was cut")
            left -= len(piece)
            yield piece

    def reply(self, status, body=b"", fields=()):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_expect_100(self):
        if self.path == "/refuse":
            self.close_connection = True
            self.reply(413, b"too much", [("Connection", "close")])
            return False
        return super().handle_expect_100()

    def do_GET(self):
        self.server.heads.append((self.request_version, self.requestline.rsplit(" ", 1)[0], list(self.headers.items())))
        if "via" in self.headers:
            self.server.requests.append(wire.Asked("", self.command, self.path, self.request_version, self.headers.items()))
        digest, size = hashlib.sha256(), 0
        for piece in self.content():
            digest.update(piece)
            size += len(piece)
        path = self.path.split("?")[0]
        if path.startswith("/redirect/"):
            self.reply(int(path.rsplit("/", 1)[1]), b"elsewhere", [("Location", "/final?x=1")])
        elif path == "/loop":
            self.reply(302, b"", [("Location", "/loop")])
        elif path == "/events":
            self.events()
        elif path == "/until-close":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"as long as it takes")
            self.close_connection = True
        elif path == "/empty":
            self.send_response(204)
            self.end_headers()
        else:
            body = json.dumps({"method": self.command, "path": self.path, "size": size, "sha256": digest.hexdigest()}).encode()
            self.reply(200, body, [("Content-Type", "application/json"), ("X-Twice", "1"), ("X-Twice", "2"), ("ETag", '"abc"'),
                                   ("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), ("X-Empty", "")])

    do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def events(self):
        """Server-sent events, each when the test has asked for it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(5):
            self.server.next_event.acquire(timeout=20)
            event = b"id: %d\ndata: event %d\n\n" % (number, number)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.server.next_event.acquire(timeout=20)
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.heads, self.next_event = [], threading.Semaphore(0)
        self.requests = []  # that came through gw
        self.port = self.server_address[1]
        self.address = "127.0.0.1:%d" % self.port
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass

    def close(self):
        self.shutdown()
        self.server_close()


NGINX = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {directory}/www;
    absolute_redirect off;
    location = /away {{ return 301 /file; }}
    location = /denied {{ return 403; }}
  }}
}}
"""


class Outcome:
    """What curl got: its exit status, the heads of all responses, the last body, how it counts that, and what it has uploaded."""

    def __init__(self, exit_status, heads, body, counts="", uploaded=0):
        self.exit_status, self.heads, self.body, self.counts, self.uploaded = exit_status, heads, body, counts, uploaded

    def view(self):
        """All that has to be equal; the body of -I is the heads once more."""
        body = None if self.body and self.body.startswith(b"HTTP/1.") else self.body
        heads = [(status, sorted((name.lower(), value) for name, value in fields if name.lower() not in OWN)) for status, fields in self.heads]
        return {"exit": self.exit_status, "heads": heads, "body": body, "counts": self.counts}


def read_heads(text):
    """Status and fields of each head that curl -D has written. A reason is for people, and gw's is the usual one of the status."""
    heads = []
    for block in text.split("\r\n\r\n"):
        first, *lines = block.strip().split("\r\n")
        if first:
            heads.append((int(first.split()[1]), [tuple(part.strip() for part in line.split(":", 1)) for line in lines]))
    return heads


class Transparent(harness.TestCase):
    limit = 120

    def run_curl(self, base, arguments, path, data=None):
        """Runs curl; `data` is its standard input."""
        harness.need("curl")
        heads, body = self.directory / "curl.heads", self.directory / "curl.body"
        for file in (heads, body):
            file.unlink(missing_ok=True)
        command = ["curl", "-sSv", "--noproxy", "*", "-m", "60", "-D", str(heads), "-o", str(body),
                   "-w", "%{size_download} %{num_redirects} %{http_version} %{size_upload}", *arguments, "http://%s%s" % (base, path)]
        stdin = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(command, **stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        harness.note_curl(done.stderr)
        counts, uploaded = done.stdout.decode().rsplit(" ", 1)
        return Outcome(done.returncode, read_heads(heads.read_bytes().decode("latin-1")), body.read_bytes() if body.exists() else None, counts,
                       int(uploaded))

    def both(self, address, gw, arguments, path, data=None):
        """The same curl at the origin and at gw; what it got from gw."""
        direct = self.run_curl(address, arguments, path, data)
        through = self.run_curl("127.0.0.1:%d" % gw.port, arguments, path, data)
        self.assertEqual(through.view(), direct.view())
        return through

    def start(self):
        server = Server()
        self.addCleanup(server.close)
        self.origins.append(server)
        gw = self.gateway({"routes": [{"prefix": "/", "forward": "http://" + server.address}]})
        return server, gw

    def assert_same_request(self, heads, address):
        """That of the heads that reached the origin those through gw are those without it, but for what gw adds."""
        direct, through = heads[:len(heads) // 2], heads[len(heads) // 2:]
        self.assertEqual(len(direct), len(through))
        for (_, line, fields), (version, line_through, fields_through) in zip(direct, through):
            self.assertEqual((version, line_through), (VERSION, line))
            names = [name.lower() for name, _ in fields_through]
            self.assertEqual(ADDED - set(names), set())
            self.assertEqual(dict(fields_through)["Host"], address)

            def rest(all_fields):
                # curl in HTTP/1.0 may say nothing of the connection or keep-alive; gw speaks for itself.
                return sorted((name.lower(), value) for name, value in all_fields if name.lower() not in ADDED | OWN)

            self.assertEqual(rest(fields_through), rest(fields))

    def test_requests_of_every_kind(self):
        server, gw = self.start()
        small = self.directory / "small"
        small.write_bytes(b"0123456789" * 500)
        cases = [
            ([], "/"),
            ([], "/a%2Fb/c?x=1&y=%20z&"),
            (["-I"], "/"),
            (["--http1.0"], "/"),
            (["--http1.0", "-I"], "/"),
            (["--http1.0"], "/until-close"),
            ([], "/until-close"),
            ([], "/empty"),
            (["-X", "DELETE"], "/thing"),
            (["-X", "OPTIONS"], "/thing"),
            (["-d", "a=1&b=2"], "/form"),
            (["-X", "PATCH", "-d", "x"], "/form"),
            (["-H", "Expect: 100-continue", "-d", "a=1"], "/form"),
            (["-H", "Transfer-Encoding: chunked", "-d", "a=1&b=2"], "/form"),
            (["-T", str(small)], "/put"),
            (["-T", str(small), "-H", "Expect: 100-continue", "--expect100-timeout", "20"], "/put"),
            (["-T", str(small), "--http1.0"], "/put"),
            (["-H", "X-Empty;", "-H", "Cookie: a=1; b=2", "-u", "user:secret", "-A", "agent/1", "-e", "http://from/"], "/"),
            (["--compressed"], "/"),
            (["-r", "0-3"], "/"),
        ]
        for arguments, path in cases:
            with self.subTest(arguments=arguments, path=path):
                server.heads.clear()
                outcome = self.both(server.address, gw, arguments, path)
                self.assertEqual(outcome.exit_status, 0)
                self.assert_same_request(server.heads, server.address)

    def test_an_upload_of_200_mb(self):
        server, gw = self.start()
        size = (32 if harness.IS_SANITIZED else 200) * 1000 * 1000
        file, digest = self.directory / "large", hashlib.sha256()
        with file.open("wb") as out:
            while out.tell() < size:
                piece = os.urandom(min(MIB, size - out.tell()))
                digest.update(piece)
                out.write(piece)
        # Of its own accord curl waits for 100 here.
        outcome = self.both(server.address, gw, ["-T", str(file), "--expect100-timeout", "20"], "/up")
        self.assertEqual(([status for status, _ in outcome.heads], outcome.uploaded), ([100, 200], size))
        self.assertEqual(json.loads(outcome.body), {"method": "PUT", "path": "/up", "size": size, "sha256": digest.hexdigest()})
        self.assert_same_request(server.heads, server.address)

    def test_an_upload_of_unknown_length(self):
        server, gw = self.start()
        data = os.urandom(5 * MIB)
        outcome = self.both(server.address, gw, ["-T", "-", "-H", "Expect:"], "/up", data)
        self.assertEqual(json.loads(outcome.body)["sha256"], hashlib.sha256(data).hexdigest())
        self.assert_same_request(server.heads, server.address)

    def test_an_upload_that_is_refused_before_it_begins(self):
        server, gw = self.start()
        file = self.directory / "file"
        file.write_bytes(b"x" * 2 * MIB)
        outcome = self.both(server.address, gw, ["-T", str(file), "--expect100-timeout", "20"], "/refuse")
        self.assertEqual(([status for status, _ in outcome.heads], outcome.body), ([413], b"too much"))
        self.assertEqual(outcome.uploaded, 0)

    def test_redirects_are_followed_by_the_client(self):
        server, gw = self.start()
        file = self.directory / "file"
        file.write_bytes(b"content")
        for status in (301, 302, 303, 307, 308):
            for arguments in (["-L"], ["-L", "-d", "a=1"], ["-L", "-T", str(file), "-H", "Expect:"], ["-L", "-I"]):
                with self.subTest(status=status, arguments=arguments):
                    server.heads.clear()
                    outcome = self.both(server.address, gw, arguments, "/redirect/%d" % status)
                    self.assertEqual([s for s, _ in outcome.heads], [status, 200])
                    self.assert_same_request(server.heads, server.address)
        self.assertEqual(self.both(server.address, gw, ["-L", "--max-redirs", "3"], "/loop").exit_status, 47)

    def test_events_arrive_one_by_one(self):
        server, gw = self.start()
        seen = []
        for address in (server.address, "127.0.0.1:%d" % gw.port):
            harness.need("curl")
            curl = subprocess.Popen(["curl", "-sSN", "-i", "--noproxy", "*", "-m", "60", "http://%s/events" % address], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE)
            self.addCleanup(curl.stdout.close)
            self.addCleanup(curl.wait)
            self.addCleanup(curl.kill)

            def block():
                """The lines up to an empty one; they are there only if nobody waits for more."""
                lines = []
                while not lines or lines[-1].strip():
                    lines.append(curl.stdout.readline())
                    self.assertTrue(lines[-1], "the stream ended")
                return b"".join(lines)

            head = block().decode()
            events = []
            for _ in range(5):
                server.next_event.release()
                events.append(block())
            server.next_event.release()
            self.assertEqual(curl.stdout.read(), b"")
            self.assertEqual(curl.wait(), 0)
            seen.append((Outcome(0, read_heads(head), None).view(), events))
        self.assertEqual(seen[1], seen[0])
        self.assertEqual(seen[1][1], [b"id: %d\ndata: event %d\n\n" % (n, n) for n in range(5)])

    def test_files_of_nginx(self):
        nginx, port = harness.need("nginx"), harness.free_port()
        self.directory.chmod(0o755)
        www = self.directory / "www"
        www.mkdir()
        (www / "file").write_bytes(b"0123456789" * 100)
        (www / "empty").touch()
        (self.directory / "nginx.conf").write_text(NGINX.format(directory=self.directory, port=port))
        self.process([nginx, "-p", str(self.directory), "-c", str(self.directory / "nginx.conf"), "-e", "stderr"])
        self.assertTrue(harness.eventually(lambda: harness.accepts(port)))
        address = "127.0.0.1:%d" % port
        gw = self.gateway({"routes": [{"prefix": "/", "forward": "http://" + address}]})
        tag = dict((name.lower(), value) for name, value in self.run_curl(address, [], "/file").heads[0][1])["etag"]
        cases = [
            ([], "/file", 200),
            (["-I"], "/file", 200),
            (["--http1.0"], "/file", 200),
            (["--http1.0", "-I"], "/file", 200),
            ([], "/empty", 200),
            (["-I"], "/empty", 200),
            (["-r", "10-19"], "/file", 206),
            (["-r", "5000-"], "/file", 416),
            (["-H", "If-None-Match: " + tag], "/file", 304),
            (["-I", "-H", "If-None-Match: " + tag], "/file", 304),
            (["-H", 'If-Match: "other"'], "/file", 412),
            ([], "/none", 404),
            (["-I"], "/none", 404),
            ([], "/denied", 403),
            (["-d", "x"], "/file", 405),
            (["-L"], "/away", 200),
        ]
        for arguments, path, status in cases:
            with self.subTest(arguments=arguments, path=path):
                outcome = self.both(address, gw, arguments, path)
                self.assertEqual(outcome.heads[-1][0], status)


if __name__ == "__main__":
    harness.main()
