"""Applications of ASGI behind routes: what they are told, and what becomes of what they say."""
import asyncio
import contextlib
import socket
import threading

import pytest

import gw


def start_of(status=200, headers=()):
    return {"type": "http.response.start", "status": status, "headers": headers}


def body_of(body=b"", more_body=False):
    return {"type": "http.response.body", "body": body, "more_body": more_body}


def http_only(application):
    async def refuse_others(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("no lifespans, please")
        await application(scope, receive, send)
    return refuse_others


def gateway(application, pattern="/"):
    app = gw.Gateway()
    if not isinstance(application, WithLifespan):
        application = http_only(application)
    app.prefix(pattern).asgi(application)
    return app


def test_the_scope_of_a_request(ask):
    scopes = []

    async def application(scope, receive, send):
        scopes.append(scope)
        await send(start_of(204))
        await send(body_of())

    app = gateway(application, "/api")
    app.prefix("/strip/{who}").strip_prefix().asgi(application)
    app.prefix("/late/").asgi(application).strip_prefix()
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port, "GET", "/api/a%20b?x=%31", Host="example.com:81", X_A="v\u00e9".encode("latin-1"))[0] == 204
        for target in ("/strip/a%20b/rest", "/late/x"):
            assert ask(server.port, "GET", target)[0] == 204
    first = [scope for scope in scopes if scope["type"] == "http"][0]
    assert (b"x-a", b"v\xe9") in first.pop("headers")
    assert first == {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/api/a b",
        "raw_path": b"/api/a%20b", "query_string": b"x=%31", "root_path": "", "client": ("127.0.0.1", 0), "server": ("example.com", 81),
    }
    assert [(scope["root_path"], scope["path"]) for scope in scopes if scope["type"] == "http"][1:] == [("/strip/a b", "/strip/a b/rest"), ("/late", "/late/x")]


@pytest.mark.parametrize("request_head, server", [
    (b"GET / HTTP/1.1\r\nHost: a\r\n", ("a", 80)), (b"GET / HTTP/1.1\r\nHost: a:81\r\n", ("a", 81)), (b"GET / HTTP/1.1\r\nHost: [::1]\r\n", ("::1", 80)),
    (b"GET / HTTP/1.1\r\nHost: [::1]:81\r\n", ("::1", 81)), (b"GET / HTTP/1.0\r\n", None)])
def test_the_server_is_whom_the_client_asks(request_head, server):
    servers = []

    async def application(scope, receive, send):
        servers.append(scope["server"])
        await send(start_of(204))
        await send(body_of())

    app = gateway(application)
    with app.start("127.0.0.1:0") as listening:
        with socket.create_connection(("127.0.0.1", listening.port), timeout=20) as client:
            client.sendall(request_head + b"\r\n")
            assert b" 204 " in client.recv(1000)
    assert servers == [server]


def test_content_comes_as_messages():
    messages = []

    async def application(scope, receive, send):
        while True:
            messages.append(await receive())
            if not messages[-1].get("more_body"):
                break
        await send(start_of(headers=[(b"content-type", b"text/plain")]))
        await send(body_of(b"ok"))
        messages.append(await receive())

    app = gateway(application)
    app.dispatch("POST", "/", b"abc")
    assert messages == [{"type": "http.request", "body": b"abc", "more_body": False}, {"type": "http.disconnect"}]
    with app.start("127.0.0.1:0") as server:
        for size in (0, 10, 500_000):
            messages.clear()
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
                assert client.recv(10_000).endswith(b"ok")
            assert b"".join(message["body"] for message in messages[:-1]) == b"x" * size
            assert {message["type"] for message in messages[:-1]} == {"http.request"}


@pytest.mark.parametrize("pieces", [[b""], [b"one"], [b"one", b"two"], [b"", b"one", b"", b"two", b""]])
@pytest.mark.parametrize("length", [False, True])
def test_a_response_in_pieces(ask, pieces, length):
    async def application(scope, receive, send):
        await send(start_of(headers=[(b"Content-Length", b"%d" % len(b"".join(pieces)))] if length else ()))
        for piece in pieces:
            await send(body_of(piece, True))
        await send(body_of())

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        status, fields, content = ask(server.port)
        assert (status, content, fields["content-length"]) == (200, b"".join(pieces), str(len(content)) if length else None)
        status, fields, content = ask(server.port, "HEAD")
        assert (status, content, fields["transfer-encoding"]) == (200, b"", None)


def test_the_client_takes_what_it_gets_before_the_application_goes_on():
    """A slow client slows the application: it does not fill the memory."""
    sent = []

    async def application(scope, receive, send):
        await send(start_of())
        for i in range(1000):
            await send(body_of(b"x" * 100_000, True))
            sent.append(i)
        await send(body_of())

    app = gateway(application)
    app.get("/other").handle(lambda c: len(sent) and "ok")
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(1000)
            assert [app.dispatch("GET", "/other").status for _ in range(100)] == [200] * 100  # meanwhile
            assert len(sent) < 500
            got = 0
            while piece := client.recv(1_000_000):
                got += len(piece)
                if piece.endswith(b"0\r\n\r\n"):
                    break
            assert got > 100_000_000


def test_both_ways_at_once():
    async def application(scope, receive, send):
        await send(start_of())
        while (message := await receive())["type"] == "http.request":
            await send(body_of(message["body"].upper(), message["more_body"]))
            if not message["more_body"]:
                break

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            said = b""
            for word in (b"one", b"two", b"three"):
                client.sendall(b"%x\r\n%s\r\n" % (len(word), word))
                while word.upper() not in said:
                    said += client.recv(1000)
            client.sendall(b"0\r\n\r\n")
            while not said.endswith(b"0\r\n\r\n"):
                said += client.recv(1000)


def test_receive_waits_beside_send_until_the_client_leaves():
    told, events = threading.Event(), []

    async def application(scope, receive, send):
        await receive()
        await send(start_of())
        await send(body_of(b"one", True))
        events.append((await receive())["type"])
        try:
            while True:
                await send(body_of(b"two", True))
        except OSError:
            events.append("send raises")
        told.set()

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(1000)
        assert told.wait(10)
    assert events == ["http.disconnect", "send raises"]


@pytest.mark.parametrize("answers", [False, True])
def test_a_client_that_leaves_before_the_response_is_a_disconnect(answers, caplog):
    told, waits = threading.Event(), threading.Event()

    async def application(scope, receive, send):
        assert (await receive())["type"] == "http.request"
        waits.set()
        assert (await receive())["type"] == "http.disconnect"
        if answers:
            await send(start_of())
            await send(body_of(b"nobody hears"))
        told.set()

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert waits.wait(10)
        assert told.wait(10)
    assert not caplog.records


async def no_start(scope, receive, send):
    await send(body_of(b"x"))


async def two_starts(scope, receive, send):
    await send(start_of())
    await send(start_of())


async def no_response(scope, receive, send):
    pass


async def raises(scope, receive, send):
    raise KeyError("what went wrong")


async def raises_behind_the_start(scope, receive, send):
    await send(start_of())
    raise KeyError("what went wrong")


async def bad_status(scope, receive, send):
    await send(start_of(99))
    await send(body_of())


async def bad_field(scope, receive, send):
    await send(start_of(headers=[(b"bad name", b"x")]))
    await send(body_of())


async def bad_body(scope, receive, send):
    await send(start_of())
    await send(body_of(3))


@pytest.mark.parametrize("application", [no_start, two_starts, no_response, raises, raises_behind_the_start, bad_status, bad_field, bad_body])
def test_a_mistake_before_the_response_is_500_and_logged_once(application, caplog):
    app = gateway(application)
    assert app.dispatch("GET", "/").json() == {"message": "an unexpected error occurred"}
    assert len(caplog.records) == 1 and caplog.records[0].exc_info


@pytest.mark.parametrize("returns", [False, True])
def test_a_mistake_within_the_response_cuts_it(returns, caplog):
    async def application(scope, receive, send):
        await send(start_of())
        await send(body_of(b"one", True))
        if not returns:
            raise KeyError("half-way")

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := client.recv(1000):
                    said += piece
            assert said.startswith(b"HTTP/1.1 200") and not said.endswith(b"0\r\n\r\n")
    assert len(caplog.records) == 1


class WithLifespan:
    def __init__(self, fail_at=None):
        self.log, self._fail_at = [], fail_at

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                assert (await receive()) == {"type": "lifespan." + phase}
                self.log.append(phase)
                if self._fail_at == phase:
                    await send({"type": "lifespan.%s.failed" % phase, "message": "no database"})
                    return
                scope["state"]["database"] = object
                await send({"type": "lifespan.%s.complete" % phase})
            return
        self.log.append(scope["state"])
        scope["state"]["mine"] = 1
        await send(start_of(204))
        await send(body_of())


def test_a_lifespan_surrounds_serving(ask):
    application = WithLifespan()
    app = gateway(application)
    for _ in range(2):
        with app.start("127.0.0.1:0") as server:
            assert [ask(server.port)[0] for _ in range(2)] == [204, 204]
    one_life = ["startup", {"database": object, "mine": 1}, {"database": object, "mine": 1}, "shutdown"]
    assert application.log == one_life * 2


def test_dispatch_begins_a_lifespan_and_close_ends_it():
    application = WithLifespan()
    app = gateway(application)
    app.dispatch("GET", "/")
    app.dispatch("GET", "/")
    app.close()
    assert [entry for entry in application.log if isinstance(entry, str)] == ["startup", "shutdown"]


def test_an_application_that_does_not_start_is_an_error():
    application = WithLifespan("startup")
    app = gateway(application)
    for _ in range(2):
        with pytest.raises(gw.Error, match="no database"):
            app.start("127.0.0.1:0")
    assert not app._is_running


def test_an_application_that_fails_to_shut_down_is_logged(caplog):
    app = gateway(WithLifespan("shutdown"))
    app.start("127.0.0.1:0").stop()
    assert [record.getMessage() for record in caplog.records] == ["an application did not shut down: no database"]


def test_an_application_may_know_no_lifespans(ask, caplog):
    async def application(scope, receive, send):
        assert scope["type"] == "http"
        assert "state" not in scope
        await send(start_of(204))
        await send(body_of())

    app = gateway(application)
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port)[0] == 204
    assert not caplog.records


def test_serve_runs_everything_on_the_loop_of_the_caller(ask):
    async def main():
        loop = asyncio.get_running_loop()
        loops, application = [], WithLifespan()

        async def handler(c):
            loops.append(asyncio.get_running_loop())
            return "ok"

        async def around(c, next):
            loops.append(asyncio.get_running_loop())
            await next()

        app = gateway(application)
        app.get("/async").use(around).handle(handler)
        app.get("/plain").handle(lambda c: "ok")
        assert (await asyncio.to_thread(app.dispatch, "GET", "/async")).status == 200  # on a loop of its own, so far
        loops.clear()
        serving = asyncio.create_task(app.serve("127.0.0.1:0"))
        while not app._is_running:
            assert not serving.done()
            await asyncio.sleep(0.001)
        port = app._native().port()
        for target in ("/async", "/plain", "/"):
            assert (await asyncio.to_thread(ask, port, "GET", target))[0] in (200, 204)
        assert loops == [loop, loop]
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert application.log[-1] == "shutdown"
        assert (await asyncio.to_thread(app.dispatch, "GET", "/async")).status == 200  # and again
        await asyncio.to_thread(app.close)

    asyncio.run(main())
