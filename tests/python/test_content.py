"""The content of requests, as handlers read it."""
import asyncio
import http.client
import socket
import threading

import pytest

import gw


def pieces_app():
    app = gw.Gateway()

    @app.post("/plain").stream()
    def plain(c):
        sizes = [len(piece) for piece in c.req]
        return {"pieces": len(sizes), "bytes": sum(sizes)}

    @app.post("/waiting").stream()
    async def waiting(c):
        sizes = [len(piece) async for piece in c.req]
        return {"pieces": len(sizes), "bytes": sum(sizes)}

    @app.post("/rest/plain").stream()
    def plain_rest(c):
        return {"bytes": len(c.req.body)}

    @app.post("/rest/waiting").stream()
    async def waiting_rest(c):
        first = await c.req.read()
        assert await c.req.read() == c.req.body == first
        return {"bytes": len(first)}
    return app


@pytest.mark.parametrize("target", ["/plain", "/waiting", "/rest/plain", "/rest/waiting"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_content_is_read_piece_by_piece(ask, target, size):
    app = pieces_app()
    with app.start("127.0.0.1:0") as server:
        status, _, content = ask(server.port, "POST", target, b"x" * size)
        assert status == 200 and b'"bytes":%d}' % size in content
    assert app.dispatch("POST", target, b"x" * size).json()["bytes"] == size


@pytest.mark.parametrize("target", ["/plain", "/waiting"])
def test_pieces_come_as_they_are_sent(target):
    got = threading.Semaphore(0)
    app = gw.Gateway()

    @app.post("/plain").stream()
    def plain(c):
        for piece in c.req:
            got.release()
        return "ok"

    @app.post("/waiting").stream()
    async def waiting(c):
        async for piece in c.req:
            got.release()
        return "ok"

    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n" % target).encode())
            for _ in range(3):
                client.sendall(b"x")
                assert got.acquire(timeout=10)
            assert client.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("target", ["/plain", "/waiting", "/rest/plain", "/rest/waiting", "/whole"])
def test_content_that_breaks_off_is_not_the_handlers_mistake(target, caplog):
    app = pieces_app()
    app.post("/whole").handle(lambda c: "ok")
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(("POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nnonsense\r\n" % target).encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 400")
    assert not caplog.records


@pytest.mark.parametrize("target", ["/plain", "/waiting", "/rest/plain", "/rest/waiting"])
def test_too_much_content_is_413(target, caplog):
    app = pieces_app()
    app.config["limits"] = {"body": "1KiB"}
    with app.start("127.0.0.1:0") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", target, iter([b"x" * 1000, b"x" * 1000]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()
    assert not caplog.records


def test_a_failure_to_read_can_be_caught():
    app = gw.Gateway()
    app.config["limits"] = {"body": "1KiB"}
    errors = []

    @app.post("/").stream()
    async def upload(c):
        try:
            async for _ in c.req:
                pass
        except gw.Error as error:
            errors.append((str(error), error.status))
            return 422
        return 200

    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"x" * 2048 + b"\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 422")
    assert len(errors) == 1 and errors[0][1] == 413


def test_a_handler_may_answer_before_it_has_read_all():
    app = gw.Gateway()

    @app.post("/").stream()
    def upload(c):
        next(iter(c.req))
        return "enough"

    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
            assert b"enough" in client.recv(1000)
            client.sendall(b"67890GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 405")


def test_what_may_not_be_said():
    app = gw.Gateway()
    errors = []

    def plain(c):
        with pytest.raises(gw.Error):
            asyncio.run(c.req.read())
        return "ok"

    async def waiting(c):
        with pytest.raises(gw.Error):
            next(iter(c.req))
        with pytest.raises(gw.Error):
            c.req.body
        errors.append(1)
        return (await c.req.read()).decode()

    app.post("/plain").stream().handle(plain)
    app.post("/waiting").stream().handle(waiting)
    with pytest.raises(gw.Error):
        app.get("/late").handle(plain).stream()
    with app.start("127.0.0.1:0") as server:
        assert app.dispatch("POST", "/plain", "x").text == "ok"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", "/waiting", iter([b"a" * 100_000, b"b"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().read() == b"a" * 100_000 + b"b"
        connection.close()
    assert errors == [1]
