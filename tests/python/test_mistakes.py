"""What programs do that they had better not, or seldom do: nothing hangs, nothing is lost, and whoever is wrong is told."""
import asyncio
import signal
import socket
import subprocess
import sys
import threading

import pytest

import gw


def send_slowly(port, head, pieces, go_on):
    """Sends each piece when `go_on` is released; the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(head)
        for piece in pieces:
            assert go_on.acquire(timeout=10)
            client.sendall(piece)
        said = b""
        while b"\r\n\r\n" not in said or (b"chunked" in said.lower() and not said.endswith(b"0\r\n\r\n")):
            piece = client.recv(10_000)
            if not piece:
                break
            said += piece
        return said


async def reads_beside_next(c, next):
    reading = asyncio.ensure_future(c.req.read())
    await next()
    with pytest.raises(gw.Error):
        await c.req.read()
    await asyncio.wait([reading])


async def reads_behind_next(c, next):
    await next()
    with pytest.raises(gw.Error):
        await c.req.read()


async def reads_the_response_and_leaves(c, next):
    await next()
    asyncio.ensure_future(c.res.read())


@pytest.mark.parametrize("middleware", [reads_beside_next, reads_behind_next, reads_the_response_and_leaves])
def test_two_never_read_the_same_content(middleware):
    go_on = threading.Semaphore(0)
    app = gw.Gateway()

    @app.post("/").use(middleware).stream()
    async def upload(c):
        go_on.release(2)
        return (str(len(piece)) async for piece in c.req)

    with app.start("127.0.0.1:0") as server:
        go_on.release()
        said = send_slowly(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n", [b"123", b"456"], go_on)
        assert said.startswith(b"HTTP/1.1 200")


def test_a_middleware_may_give_up_waiting():
    """Its answer goes out when the rest has ended, which nobody can interrupt."""
    async def impatient(c, next):
        try:
            await asyncio.wait_for(next(), 0.01)
        except asyncio.TimeoutError:
            c.reply(504)

    async def careless(c, next):
        asyncio.ensure_future(next())
        await asyncio.sleep(0)
        raise KeyError("x")

    async def slow(c):
        await asyncio.sleep(0.1)
        return "slow"

    app = gw.Gateway()
    app.path("/impatient").use(impatient).handle(slow)
    app.path("/careless").use(careless).handle(slow)
    assert [app.dispatch("GET", target).status for target in ("/impatient", "/careless")] == [504, 500]


def test_a_next_that_was_kept_is_refused():
    kept, errors = [], []

    async def keeps(c, next):
        kept.append(next)
        c.reply("early")

    async def late(c):
        try:
            await kept[0]()
        except gw.Error as error:
            errors.append(str(error))
        return "ok"

    app = gw.Gateway()
    app.path("/keeps").use(keeps).reply(204)
    app.path("/late").handle(late)
    assert [app.dispatch("GET", target).text for target in ("/keeps", "/late")] == ["early", "ok"]
    assert errors == ["the request is over"]


@pytest.mark.parametrize("gives_up", [False, True])
def test_several_readers_share_the_content(gives_up):
    go_on = threading.Semaphore(0)
    app = gw.Gateway()

    @app.post("/").stream()
    async def upload(c):
        readings = [asyncio.ensure_future(c.req.read()) for _ in range(2)]
        await asyncio.sleep(0)
        if gives_up:
            readings.pop().cancel()
        go_on.release()
        return b" ".join(await asyncio.gather(*readings, c.req.read()))

    with app.start("127.0.0.1:0") as server:
        said = send_slowly(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 6\r\n\r\n", [b"123456"], go_on)
        assert said.endswith(b" ".join([b"123456"] * (2 if gives_up else 3)))


def test_a_receive_that_is_given_up_loses_nothing():
    go_on, messages = threading.Semaphore(0), []

    async def application(scope, receive, send):
        assert scope["type"] == "http"
        messages.append(await receive())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
        go_on.release()
        while messages[-1].get("more_body"):
            messages.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    app = gw.Gateway()
    app.prefix("/").asgi(application)
    with app.start("127.0.0.1:0") as server:
        said = send_slowly(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n", [b"123456"], go_on)
        assert said.startswith(b"HTTP/1.1 200")
    assert {message["type"] for message in messages} == {"http.request"}
    assert b"".join(message["body"] for message in messages) == b"123456"


def test_sends_at_once_are_sent_in_their_order():
    async def application(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.gather(*[send({"type": "http.response.body", "body": b"%d" % i, "more_body": True}) for i in range(5)])
        await send({"type": "http.response.body"})

    app = gw.Gateway()
    app.prefix("/").asgi(application)
    assert app.dispatch("GET", "/").body == b"01234"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_generator_that_waits_is_closed_when_its_client_leaves(is_async, caplog):
    waits, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def plain():
        try:
            yield "one"
            waits.set()
            go_on.wait(20)
            yield "two"
        finally:
            closed.set()

    async def waiting():
        try:
            yield "one"
            waits.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    app = gw.Gateway()
    app.get("/").handle(lambda c: waiting() if is_async else plain())
    with app.start("127.0.0.1:0") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert waits.wait(10)
        if not is_async:
            go_on.set()  # nobody can wake it
        assert closed.wait(10)
    assert not caplog.records


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("wrong", [None, 3, {"a": 1}])
def test_a_wrong_piece_cuts_the_response(wrong, is_async, caplog):
    def plain():
        yield "one"
        yield wrong
        yield "two"

    async def waiting():
        for piece in plain():
            yield piece

    app = gw.Gateway()
    app.get("/").handle(lambda c: waiting() if is_async else plain())
    assert app.dispatch("GET", "/").status == 500
    assert [record.exc_info[0] for record in caplog.records] == [TypeError]


def test_an_asynchronous_generator_may_be_the_handler():
    app = gw.Gateway()

    @app.post("/").stream()
    async def upper(c):
        async for piece in c.req:
            yield piece.upper()

    assert app.dispatch("POST", "/", b"abc").body == b"ABC"


class Ends:
    def done(self, c):
        raise SystemExit(1)


class EndsLater:
    async def done(self, c):
        raise SystemExit(1)


@pytest.mark.parametrize("stage", [Ends(), EndsLater()])
def test_a_hook_cannot_end_the_loop(stage, caplog):
    async def ok(c):
        return "ok"

    app = gw.Gateway()
    app.get("/ends").use(stage).reply(200, text="ok")
    app.get("/").handle(ok)
    for target in ("/ends", "/", "/ends", "/"):
        assert app.dispatch("GET", target).text == "ok"
    app.close()
    assert [record.message for record in caplog.records] == ["a done hook has raised"] * 2


async def never_starts(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await asyncio.Event().wait()


def test_serve_ends_when_it_is_cancelled_while_an_application_starts():
    async def main():
        app = gw.Gateway()
        app.prefix("/").asgi(never_starts)
        serving = asyncio.create_task(app.serve("127.0.0.1:0"))
        while app._crossing._loop is None:
            await asyncio.sleep(0.001)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(serving, 10)

    asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_can_be_interrupted_while_an_application_starts(number):
    program = """
import asyncio, gw
async def never(scope, receive, send):
    print("begins", flush=True)
    await asyncio.Event().wait()
app = gw.Gateway()
app.prefix("/").asgi(never)
app.run("127.0.0.1:0")
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begins\n"
        process.send_signal(number)
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode != 0


def test_a_handler_that_never_ends_does_not_keep_the_interpreter():
    program = """
import gw, socket, threading
app = gw.Gateway({"timeouts": {"drain": "100ms"}})
begun = threading.Event()
@app.get("/")
def hangs(c):
    begun.set()
    threading.Event().wait()
client = socket.create_connection(("127.0.0.1", app.start("127.0.0.1:0").port))
client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
begun.wait()
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_a_reload_stays(tmp_path, ask):
    file = tmp_path / "gw.yaml"

    def write(target):
        file.write_text("listen: 127.0.0.1:0\nroutes: [{path: %s, reply: 204}]\n" % target)

    write("/one")
    app = gw.Gateway.from_file(file)
    app.path("/code").reply(204)
    with app.start() as server:
        write("/two")
        app.reload()
        app.apply(app.config)
        assert [ask(server.port, target=target)[0] for target in ("/one", "/two", "/code")] == [404, 204, 204]
    with app.start() as server:
        assert ask(server.port, target="/two")[0] == 204
    write("/three")
    app.reload()
    assert [app.dispatch("GET", target).status for target in ("/two", "/three", "/code")] == [404, 204, 204]


def test_a_handler_cannot_stop_its_gateway(ask, caplog):
    app = gw.Gateway()
    app.get("/").handle(lambda c: app.stop())
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port)[0] == 500
    assert "cannot stop" in str(caplog.records[0].exc_info[1])


def test_a_handler_may_stop_another_gateway():
    app, other = gw.Gateway(), gw.Gateway()
    other.path("/").reply(204)
    app.get("/").handle(lambda c: str(other.stop()))
    other.start("127.0.0.1:0")
    assert app.dispatch("GET", "/").text == "None"
    assert not other._is_running


def test_wsgi_writes_between_pieces():
    def application(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one ")
        yield b"two "
        write(b"three ")
        yield b""
        yield b"four "
        write(b"five")

    app = gw.Gateway()
    app.prefix("/").wsgi(application)
    assert app.dispatch("GET", "/").body == b"one two three four five"


@pytest.mark.parametrize("body, content, kind", [
    ({"a": 1}, b'{"a":1}', "application/json"), (bytearray(b"x"), b"x", "application/octet-stream"), (memoryview(b"x"), b"x", "application/octet-stream")])
def test_a_response_takes_what_a_handler_may_give(body, content, kind):
    app = gw.Gateway()
    app.get("/").handle(lambda c: gw.Response(body, 201))
    got = app.dispatch("GET", "/")
    assert (got.status, got.body, got.header("content-type")) == (201, content, kind)


def test_nan_is_no_json(caplog):
    app = gw.Gateway()
    app.get("/").handle(lambda c: {"a": float("nan")})
    assert app.dispatch("GET", "/").status == 500
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


@pytest.mark.parametrize("pieces", [["text"], [b"one", "text"]])
@pytest.mark.parametrize("is_list", [False, True])
def test_wsgi_gives_bytes(pieces, is_list, caplog):
    def application(environ, start_response):
        start_response("200 OK", [])
        return pieces if is_list else iter(pieces)

    app = gw.Gateway()
    app.prefix("/").wsgi(application)
    assert app.dispatch("GET", "/").status == 500
    assert [record.exc_info[0] for record in caplog.records] == [TypeError]
