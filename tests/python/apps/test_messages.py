"""What gw says to an application of ASGI, and makes of its answer. The validator stands between both."""
import socket
import threading

import pytest

import gw
from validator import Validator

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"ok"}
PIECE = {**BODY, "more_body": True}


class Over:
    """A stage that knows when a request is over."""

    def __init__(self):
        self.is_over = threading.Event()

    def done(self, c):
        self.is_over.set()


class Served:
    """A gateway with an application below /r and one for all the rest."""

    def __init__(self, application, raises_faults=True):
        self.validator = Validator(application, raises_faults)
        self.stage = Over()
        self._gateway = gw.Gateway({"workers": 1, "timeouts": {"drain": "1s"}})
        self._gateway.use(self.stage)
        self._gateway.prefix("/r").strip_prefix().asgi(self.validator)
        self._gateway.prefix("/").asgi(self.validator)

    def __enter__(self):
        self._server = self._gateway.start("127.0.0.1:0")
        return self

    def __exit__(self, *_):
        self._gateway.close()

    def connect(self, said):
        client = socket.create_connection(("127.0.0.1", self._server.port), timeout=20)
        client.sendall(said)
        return client

    def ask(self, said):
        """Everything that is answered before the connection ends."""
        with self.connect(said) as client:
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))


def only_http(application):
    async def checked(scope, receive, send):
        if scope["type"] != "http":
            raise NotImplementedError
        await application(scope, receive, send)
    return checked


def sends(*messages):
    async def application(scope, receive, send):
        for message in messages:
            if isinstance(message, Exception):
                raise message
            await send(message)
    return only_http(application)


def get(target, fields=b"", method=b"GET"):
    return method + b" " + target + b" HTTP/1.1\r\nHost: a:81\r\nConnection: close\r\n" + fields + b"\r\n"


SCOPES = [
    (get(b"/"), {"method": "GET", "path": "/", "raw_path": b"/", "root_path": "", "query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("a", 81)}),
    (get(b"/a?b=%20&c"), {"path": "/a", "raw_path": b"/a", "query_string": b"b=%20&c"}),
    (get(b"/r"), {"path": "/r", "root_path": "/r"}),
    (get(b"/r/%E2%82%AC"), {"path": "/r/\u20ac", "raw_path": b"/r/%E2%82%AC", "root_path": "/r"}),
    (get(b"/%72/a"), {"path": "/r/a", "raw_path": b"/%72/a", "root_path": "/r"}),
    (get(b"/r%2Fa"), {"path": "/r/a", "root_path": ""}),
    (get(b"/%ff"), {"path": "/\ufffd", "raw_path": b"/%ff"}),
    (get(b"/r//a/../b"), {"path": "/r/b", "raw_path": b"/r//a/../b", "root_path": "/r"}),
    (get(b"http://b/c?d"), {"path": "/c", "raw_path": b"/c", "query_string": b"d", "server": ("b", 80)}),
    (get(b"/", method=b"DELETE"), {"method": "DELETE"}),
    (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", {"http_version": "1.0"}),
    (get(b"/", b"X-A:  1 \t\r\nx_b: \xff\r\nX-A: 2\r\n"), {"headers": [(b"host", b"a:81"), (b"connection", b"close"), (b"x-a", b"1"), (b"x_b", b"\xff"), (b"x-a", b"2")]}),
]


@pytest.mark.parametrize("said, expected", SCOPES)
def test_a_request_is_a_scope(said, expected):
    seen = {}

    async def application(scope, receive, send):
        seen.update(scope)
        await send(START)
        await send(BODY)

    with Served(only_http(application)) as served:
        answer = served.ask(said)
    assert (served.validator.faults, answer[-2:], {key: seen.get(key) for key in expected}) == ([], b"ok", expected)


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_content_is_requests_until_the_last(size):
    content, messages = b"0123456789" * 10, []

    async def application(scope, receive, send):
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
        await send(START)
        await send(BODY)
        messages.append(await receive())

    chunks = b"".join(b"%x\r\n%s\r\n" % (len(content[i:i + size]), content[i:i + size]) for i in range(0, len(content), size))
    with Served(only_http(application)) as served:
        answer = served.ask(get(b"/", b"Transfer-Encoding: chunked\r\n", b"POST") + chunks + b"0\r\n\r\n")
    assert served.validator.faults == [] and answer.endswith(b"ok")
    assert b"".join(message.get("body", b"") for message in messages) == content
    assert messages[-1] == {"type": "http.disconnect"}


@pytest.mark.parametrize("content", [b"a", b"ab"])
@pytest.mark.parametrize("messages", [[], [START], [START, BODY], [START, PIECE, BODY], [ValueError("mine")], [START, PIECE, ValueError("mine")]])
def test_a_request_is_over_when_its_client_has_left_and_its_application_has_returned(content, messages):
    begun = threading.Event()

    async def application(scope, receive, send):
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        await sends(*messages)(scope, receive, send)

    with Served(only_http(application)) as served:
        with served.connect(get(b"/", b"Content-Length: 2\r\n", b"POST") + content):
            assert begun.wait(20)
        assert served.stage.is_over.wait(20)
    assert served.validator.faults == []


@pytest.mark.parametrize("head", [{**START, "headers": [(b"a", b"1\r\nb: 2")]}, {**START, "status": 99}])
@pytest.mark.parametrize("rest", [[BODY], [PIECE, BODY]])
def test_a_head_that_cannot_be_sent_is_500(head, rest):
    with Served(sends(head, *rest), raises_faults=False) as served:
        assert served.ask(get(b"/")).startswith(b"HTTP/1.1 500 ")
        assert served.stage.is_over.wait(20)
    assert len(served.validator.faults) == 1


@pytest.mark.parametrize("messages", [[START, BODY], [START, PIECE, BODY], [START, PIECE, PIECE, {**BODY, "body": b""}]])
def test_an_exception_behind_the_response_leaves_it_whole(messages, caplog):
    with Served(sends(*messages, ValueError("mine"))) as served:
        answer = served.ask(get(b"/"))
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"0\r\n\r\n" if PIECE in messages else b"ok")
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize("rest", [[], [BODY]])
def test_what_is_like_bytes_is_taken_as_other_servers_do(kind, rest):
    with Served(sends(START, {**(PIECE if rest else BODY), "body": kind(b"like")}, *rest), raises_faults=False) as served:
        assert b"like" in served.ask(get(b"/"))


def test_an_application_behind_two_routes_has_one_lifespan():
    seen = []

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            assert await receive() == {"type": "lifespan.startup"}
            scope["state"]["pool"] = seen
            await send({"type": "lifespan.startup.complete"})
            seen.append(await receive())
            await send({"type": "lifespan.shutdown.complete"})
        else:
            scope["state"]["pool"].append(scope["path"])
            scope["state"]["mine"] = 1
            await send(START)
            await send(BODY)

    with Served(application) as served:
        served.ask(get(b"/a"))
        served.ask(get(b"/r/b"))
    assert served.validator.faults == []
    assert seen == ["/a", "/r/b", {"type": "lifespan.shutdown"}]
