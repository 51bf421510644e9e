"""Applications of WSGI behind routes: what they are told, and what becomes of what they say."""
import hashlib
import http.client
import socket
import sys
import threading

import pytest

import gw


def gateway(application, pattern="/"):
    app = gw.Gateway()
    app.prefix(pattern).wsgi(application)
    return app


def test_the_environment_of_a_request(ask):
    seen = []

    def application(environ, start_response):
        seen.append((dict(environ), environ["wsgi.input"].read()))
        start_response("204 No Content", [])
        return []

    app = gateway(application, "/api")
    app.prefix("/strip/{who}").strip_prefix().wsgi(application)
    with app.start("127.0.0.1:0") as server:
        ask(server.port, "POST", "/api/a%C3%A9?x=%31", "content", Host="example.com:81", X_A="1", Content_Type="text/plain", Proxy="evil")
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"GET /strip/a%20b/rest HTTP/1.0\r\nX_Under: 1\r\nX-Two: 1\r\nX-Two: 2\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 204")
    environ, content = seen[0]
    assert content == b"content"
    expected = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/api/a\u00c3\u00a9", "QUERY_STRING": "x=%31", "REQUEST_URI": "/api/a%C3%A9?x=%31", "SERVER_NAME": "example.com",
        "SERVER_PORT": "81", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "7", "HTTP_X_A": "1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }
    assert {key: environ.get(key) for key in expected} == expected
    assert "HTTP_PROXY" not in environ
    environ, _ = seen[1]
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["SERVER_PROTOCOL"]) == ("/strip/a b", "/rest", "HTTP/1.0")
    assert (environ["HTTP_X_TWO"], environ["HTTP_COOKIE"], "HTTP_X_UNDER" in environ) == ("1,2", "a=1; b=2", False)


def test_the_environment_is_valid(ask):
    from wsgiref.validate import validator

    def application(environ, start_response):
        content = environ["wsgi.input"].read(100_000)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
        return [content]

    app = gateway(validator(application))
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port, "POST", "/", b"x" * 70_000)[2] == b"x" * 70_000


@pytest.mark.parametrize("size", [0, 3, 700_000])
def test_content_is_a_file(ask, size):
    content = b"\n".join([b"x" * 99] * (size // 100)) or b"abc"[:size]

    def application(environ, start_response):
        lines = [line for line in environ["wsgi.input"]]
        start_response("200 OK", [])
        return [b"%d %d" % (len(lines), len(b"".join(lines)))]

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port, "POST", "/", content)[2] == b"%d %d" % (len(content.splitlines()), len(content))


class Closing:
    def __init__(self, pieces):
        self.pieces, self.closed = iter(pieces), threading.Event()

    def __iter__(self):
        return self.pieces

    def close(self):
        self.closed.set()


@pytest.mark.parametrize("pieces, headers, is_chunked", [
    ([], [], False), ([b"", b""], [], False), ([b"one"], [("Content-Length", "3")], False), ([b"one", b"two"], [("Content-Length", "6")], False), ([b"", b"one", b"two"], [], True)])
def test_what_the_application_gives_is_sent_and_closed(ask, pieces, headers, is_chunked):
    results = []

    def application(environ, start_response):
        start_response("200 OK", headers)
        results.append(Closing(pieces))
        return results[0]

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        status, fields, content = ask(server.port)
        assert (status, content, fields["transfer-encoding"]) == (200, b"".join(pieces), "chunked" if is_chunked else None)
        assert results[0].closed.wait(10)


def test_the_head_may_come_late_be_replaced_and_content_be_written(ask):
    def late(environ, start_response):
        start_response("201 Created", [("X-A", "1")])
        yield b"late"

    def replaced(environ, start_response):
        start_response("200 OK", [])
        try:
            raise KeyError
        except KeyError:
            start_response("503 Bad", [], sys.exc_info())
        return [b"replaced"]

    def written(environ, start_response):
        write = start_response("200 OK", [])
        write(b"writ")
        write(b"ten")
        return [b"!"]

    app = gw.Gateway()
    for application in (late, replaced, written):
        app.path("/" + application.__name__).wsgi(application)
    got = [app.dispatch("GET", target) for target in ("/late", "/replaced", "/written")]
    assert [(response.status, response.body) for response in got] == [(201, b"late"), (503, b"replaced"), (200, b"written!")]


def wsgi_raises(environ, start_response):
    raise KeyError("x")


def wsgi_no_start(environ, start_response):
    return [b"x"]


def wsgi_two_starts(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def wsgi_bad_status(environ, start_response):
    start_response("OK", [])
    return []


@pytest.mark.parametrize("application", [wsgi_raises, wsgi_no_start, wsgi_two_starts, wsgi_bad_status])
def test_a_mistake_of_a_wsgi_application_is_500_and_logged_once(application, caplog):
    assert gateway(application).dispatch("GET", "/").status == 500
    assert len(caplog.records) == 1


def test_stages_and_limits_stand_before_applications(ask):
    def application(environ, start_response):
        start_response("200 OK", [])
        return [environ["HTTP_X_CONSUMER"].encode()]

    app = gw.Gateway()
    key = hashlib.sha256(b"secret").hexdigest()
    app.prefix("/").use(gw.stage("key_auth", keys={"ann": key})).limits(body="1KiB").wsgi(application)
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port)[0] == 401
        assert ask(server.port, X_API_Key="secret")[2] == b"ann"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", "/", b"x" * 2000, {"X-API-Key": "secret"})
        assert connection.getresponse().status == 413
        connection.close()
