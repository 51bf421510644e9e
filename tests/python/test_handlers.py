"""Handlers in Python: what they see, what they may give, and what happens when they fail."""
import asyncio
import socket
import threading

import pytest

import gw

RESULTS = [
    ("text", 200, "text/plain; charset=utf-8", b"text"),
    ("h\u00e9", 200, "text/plain; charset=utf-8", b"h\xc3\xa9"),
    (b"\0\xff", 200, "application/octet-stream", b"\0\xff"),
    ({"a": [1, None, "\u00e9"]}, 200, "application/json", b'{"a":[1,null,"\xc3\xa9"]}'),
    ([], 200, "application/json", b"[]"),
    (204, 204, None, b""),
    (404, 404, "application/json", b'{"message":"Not Found"}'),
    (gw.Response("x", 201, {"Content-Type": "a/b"}), 201, "a/b", b"x"),
    (gw.Response(status=304), 304, None, b""),
    (gw.Response([b"a", "b"]), 200, "application/octet-stream", b"ab"),
]


@pytest.mark.parametrize("value, status, kind, content", RESULTS)
@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_handler_gives_is_the_response(value, status, kind, content, is_async):
    app = gw.Gateway()

    async def wait(c):
        await asyncio.sleep(0)
        return value

    app.get("/").handle(wait if is_async else lambda c: value)
    got = app.dispatch("GET", "/")
    assert (got.status, got.header("content-type"), got.body) == (status, kind, content)


def test_what_a_handler_sees(ask):
    app = gw.Gateway()
    seen = []

    @app.post("/users/{id}/{rest}").name("user")
    def user(c):
        seen.append((c.req.method, c.req.target, c.req.path, c.req.query, c.req.args, c.req.headers["X-A"], c.req.headers.get_all("x-a"), c.req.body,
                     c.params, c.route, c.client_address, c.peer_address, c.client_scheme, c.consumer, len(c.id), c.req.authority))
        return c.req.json()

    with app.start("127.0.0.1:0") as server:
        status, fields, content = ask(server.port, "POST", "/users/7/a%20b?x=1&x=2", '{"a":1}', X_A="v\u00e9".encode("latin-1"))
        assert (status, content) == (200, b'{"a":1}')
        assert seen == [("POST", "/users/7/a%20b?x=1&x=2", "/users/7/a%20b", "x=1&x=2", {"x": ["1", "2"]}, "v\u00e9", ["v\u00e9"], b'{"a":1}',
                         {"id": "7", "rest": "a b"}, "user", "127.0.0.1", "127.0.0.1", "http", "", 32, "127.0.0.1:%d" % server.port)]


def test_headers_are_a_mapping_without_case():
    headers = gw.Headers([("A", "1"), ("b", "2"), ("a", "3")])
    assert (headers["a"], headers.get("B"), headers.get("c"), headers.get_all("A"), list(headers), len(headers), "A" in headers) == (
        "1", "2", None, ["1", "3"], ["a", "b"], 2, True)
    with pytest.raises(KeyError):
        headers["c"]


@pytest.mark.parametrize("result", [None, 3.5, object(), True, 99, gw.Response(5), gw.Response("x", 200, {"bad name": "x"}), gw.Response("x", 200, {"a": "x\ny"})])
def test_what_is_no_response_is_an_error_of_the_handler(result, caplog):
    app = gw.Gateway()
    app.get("/").handle(lambda c: result)
    got = app.dispatch("GET", "/")
    assert got.status == 500
    assert [record.message for record in caplog.records] == ["an exception behind GET /"]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_exception_is_500_and_logged_once(is_async, caplog):
    app = gw.Gateway()

    def fail(c):
        raise KeyError("what went wrong")

    async def fail_later(c):
        await asyncio.sleep(0)
        raise KeyError("what went wrong")

    app.get("/").handle(fail_later if is_async else fail)
    for _ in range(2):
        assert app.dispatch("GET", "/").json() == {"message": "an unexpected error occurred"}
    assert [record.exc_info[0] for record in caplog.records] == [KeyError, KeyError]


def test_generators_give_pieces_as_they_come():
    app = gw.Gateway()
    go_on = threading.Event()

    @app.get("/plain")
    def plain(c):
        def pieces():
            yield "one"
            yield b""
            go_on.wait(10)
            yield b"two"
        return pieces()

    @app.get("/async")
    async def waiting(c):
        async def pieces():
            yield b"one"
            while not go_on.is_set():
                await asyncio.sleep(0.001)
            yield "two"
        return pieces()

    with app.start("127.0.0.1:0") as server:
        for target in ("/plain", "/async"):
            go_on.clear()
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(("GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target).encode())
                said = b""
                while b"one" not in said:
                    said += client.recv(1000)
                assert b"two" not in said
                go_on.set()
                while not said.endswith(b"0\r\n\r\n"):
                    said += client.recv(1000)
                assert b"two" in said


@pytest.mark.parametrize("is_async", [False, True])
def test_a_generator_that_fails_half_way_cuts_the_response(is_async, caplog):
    app = gw.Gateway()

    @app.get("/")
    def fail(c):
        def pieces():
            yield b"one"
            raise OSError("half-way")

        async def later():
            yield b"one"
            raise OSError("half-way")
        return later() if is_async else pieces()

    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            said = b""
            try:
                while piece := client.recv(1000):
                    said += piece
            except ConnectionResetError:
                pass
            assert said.startswith(b"HTTP/1.1 200") and not said.endswith(b"0\r\n\r\n")
    assert [record.exc_info[0] for record in caplog.records] == [OSError]


def test_a_client_that_leaves_closes_the_generator():
    app = gw.Gateway()
    closed = threading.Event()

    @app.get("/")
    def endless(c):
        def pieces():
            try:
                while True:
                    yield b"x" * 10000
            finally:
                closed.set()
        return pieces()

    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(100)
        assert closed.wait(10)


def assert_five_are_answered_together(app, ask):
    with app.start("127.0.0.1:0") as server:
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(ask(server.port)[0])) for _ in range(5)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert answers == [200] * 5


def test_functions_that_block_do_not_hold_each_other_up(ask):
    app = gw.Gateway()
    together = threading.Barrier(5)
    app.get("/").handle(lambda c: str(together.wait(10)))
    assert_five_are_answered_together(app, ask)


def test_coroutines_wait_together(ask):
    app = gw.Gateway()
    waiting = []

    @app.get("/")
    async def gather(c):
        waiting.append(c)
        while len(waiting) < 5:
            await asyncio.sleep(0.001)
        return "ok"

    assert_five_are_answered_together(app, ask)


def test_stages_run_before_handlers(ask):
    app = gw.Gateway()
    app.get("/").use(gw.stage("body_limit", size=10), gw.stage("headers", request={"set": {"x-set": "1"}})).handle(lambda c: c.req.headers["x-set"])
    assert app.dispatch("GET", "/").text == "1"
    assert app.dispatch("GET", "/", b"x" * 11).status == 413


def test_forwarded_routes_do_not_need_python(ask, service):
    """A thread that never gives up the interpreter's lock does not delay them."""
    app = gw.Gateway()
    app.prefix("/").forward("http://127.0.0.1:1")
    app.path("/fixed").reply(204)
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n")
            client.setblocking(False)
            # One call into C that keeps the lock: long enough for an answer.
            sum(range(60_000_000))
            assert client.recv(100).startswith(b"HTTP/1.1 204")
