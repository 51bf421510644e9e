"""Starting and stopping, again and again, at bad moments, in other processes."""
import asyncio
import contextlib
import gc
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref

import pytest

import gw


def gateway():
    app = gw.Gateway({"workers": 2, "timeouts": {"drain": "5s"}})
    app.get("/").handle(lambda c: "ok")
    return app


def test_start_and_stop_a_hundred_times(ask):
    app = gateway()
    for _ in range(100):
        with app.start("127.0.0.1:0") as server:
            assert ask(server.port)[2] == b"ok"
            app.config["listen"] = []
    app.close()


def test_a_hundred_gateways_leave_nothing():
    gc.collect()  # what other tests have left
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        app = gateway()
        assert app.dispatch("GET", "/").text == "ok"
        app.close()
        del app
    gc.collect()
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


def test_two_gateways_do_not_know_of_each_other(ask):
    one, two = gateway(), gateway()
    two.path("/two").reply(204)
    with one.start("127.0.0.1:0") as a, two.start("127.0.0.1:0") as b:
        assert [ask(a.port, target="/two")[0], ask(b.port, target="/two")[0]] == [404, 204]


def test_a_gateway_runs_once():
    app = gateway()
    with app.start("127.0.0.1:0"):
        with pytest.raises(gw.Error):
            app.start("127.0.0.1:0")
    app.stop()  # does nothing


def test_a_start_that_fails_changes_nothing():
    app, other = gateway(), gateway()
    with other.start("127.0.0.1:0") as server:
        with pytest.raises(gw.ConfigError, match="cannot listen"):
            app.start(server.address)
    assert "listen" not in app.config
    with app.start("127.0.0.1:0"):
        pass


def test_stop_waits_for_requests_that_run(ask):
    app = gateway()
    begun, answers = threading.Event(), []

    @app.get("/slow")
    def slow(c):
        begun.set()
        time.sleep(0.2)
        return "slow"

    server = app.start("127.0.0.1:0")
    client = threading.Thread(target=lambda: answers.append(ask(server.port, target="/slow")[2]))
    client.start()
    begun.wait(10)
    server.stop()
    client.join()
    assert answers == [b"slow"]


KINDS = ["plain", "waiting", "middleware", "asgi", "wsgi"]


def slow_gateway(kind, begun, go_on):
    """Its only route takes its time: it begins, and waits for `go_on`."""
    app = gw.Gateway({"workers": 1, "timeouts": {"drain": "10s"}})
    route = app.prefix("/")

    async def wait():
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.001)

    def plain(c):
        begun.set()
        go_on.wait(20)
        return "done"

    async def waiting(c):
        await wait()
        return "done"

    async def middleware(c, next):
        await wait()
        await next()

    async def asgi(scope, receive, send):
        assert scope["type"] == "http"
        await wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    def wsgi(environ, start_response):
        start_response("200 OK", [])
        return [plain(None).encode()]

    if kind in ("plain", "waiting"):
        route.handle(locals()[kind])
    elif kind == "middleware":
        route.use(middleware).reply(200, text="done")
    else:
        getattr(route, kind)(locals()[kind])
    return app


@pytest.mark.parametrize("kind", KINDS)
def test_stop_waits_for_everything_that_runs(kind, ask):
    begun, go_on, answers = threading.Event(), threading.Event(), []
    app = slow_gateway(kind, begun, go_on)
    server = app.start("127.0.0.1:0")
    client = threading.Thread(target=lambda: answers.append(ask(server.port)[2]))
    client.start()
    assert begun.wait(10)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    go_on.set()
    stopping.join(20)
    client.join()
    assert answers == [b"done"] and not stopping.is_alive()


@pytest.mark.parametrize("kind", ["plain", "asgi"])  # each waits five seconds, until the gateway gives its worker up
def test_what_does_not_end_does_not_keep_the_gateway(kind):
    """Clients of it get nothing; what it says later reaches nobody."""
    begun, go_on = threading.Event(), threading.Event()
    app = slow_gateway(kind, begun, go_on)
    app.config["timeouts"] = {"drain": "100ms"}
    server = app.start("127.0.0.1:0")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert begun.wait(10)
        server.stop()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1000) == b""
    go_on.set()
    app.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_gateway_that_nobody_holds_ends(kind):
    app = slow_gateway(kind, threading.Event(), threading.Event())
    app._crossing.start()
    threads, gone = list(app._crossing._threads), weakref.ref(app._crossing)
    assert threads
    del app
    gc.collect()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    del threads, thread
    deadline = time.monotonic() + 10
    while gone() is not None and time.monotonic() < deadline:
        gc.collect()
    assert gone() is None


def test_requests_that_wait_when_it_is_closed_get_500():
    app = gateway()
    app._crossing.close()
    assert app.dispatch("GET", "/").status == 500


def test_serve_lives_as_long_as_its_task(ask):
    async def main():
        app = gateway()
        serving = asyncio.create_task(app.serve("127.0.0.1:0"))
        while not app._is_running:
            await asyncio.sleep(0.001)
        port = app._native().port()
        assert (await asyncio.to_thread(ask, port))[2] == b"ok"
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert not app._is_running

    asyncio.run(main())


PROGRAM = """
import gw, sys, os, signal, threading, time, urllib.request
app = gw.Gateway()
@app.get("/")
def hello(c): return "hello"
"""


def run(rest, **options):
    return subprocess.run([sys.executable, "-X", "faulthandler", "-c", PROGRAM + rest], capture_output=True, text=True, timeout=60, **options)


def test_an_interpreter_that_ends_stops_its_gateways():
    done = run("s = app.start('127.0.0.1:0'); print(urllib.request.urlopen('http://%s/' % s.address).read())")
    assert (done.returncode, done.stdout) == (0, "b'hello'\n"), done.stderr


def test_an_interpreter_that_ends_with_an_exception_stops_its_gateways():
    done = run("s = app.start('127.0.0.1:0'); raise SystemExit(3)")
    assert done.returncode == 3, done.stderr


def test_a_child_process_cannot_use_the_gateway_and_ends_well():
    done = run("""
s = app.start('127.0.0.1:0')
child = os.fork()
if child == 0:
    try: app.dispatch('GET', '/')
    except gw.Error as error: print(error, flush=True)
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
print(urllib.request.urlopen('http://%s/' % s.address).read())
""")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["this gateway is one of the process that this one was forked from", "7", "b'hello'"]), done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_ends_with_a_signal_and_gives_handlers_back(number):
    program = PROGRAM + """
mine = signal.getsignal(signal.SIGINT)
app.run("127.0.0.1:0")
print("ended", signal.getsignal(signal.SIGINT) is mine)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert "listening on" in line, line
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == "gw: info: configuration reloaded\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "ended True\n"), err


def resident():
    return int(re.search(r"VmRSS:\s*(\d+)", pathlib.Path("/proc/self/status").read_text())[1]) * 1024


def test_a_hundred_thousand_requests_leave_nothing():
    import tracemalloc

    async def asgi(scope, receive, send):
        assert scope["type"] == "http"
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": scope["path"] == "/asgi/stream"})
        if scope["path"] == "/asgi/stream":
            await send({"type": "http.response.body", "body": b"b"})

    def wsgi(environ, start_response):
        start_response("200 OK", [("X-Path", environ["PATH_INFO"])])
        return [environ["wsgi.input"].read()]

    async def around(c, next):
        c.state["x"] = c.req.path
        await next()
        c.res.headers["x-path"] = c.state["x"]

    async def waiting(c):
        return {"path": c.req.path}

    class Done:
        def done(self, c):
            c.res.status, c.state

    app = gw.Gateway({"workers": 1})
    app.get("/plain").handle(lambda c: {"path": c.req.path, "fields": len(c.req.headers)})
    app.get("/stream").handle(lambda c: (piece for piece in ("a", "b")))
    app.get("/waiting").handle(waiting)
    app.prefix("/asgi").asgi(asgi)
    app.prefix("/wsgi").wsgi(wsgi)
    app.get("/middleware").use(around, Done()).handle(lambda c: "ok")
    targets = ["/plain"] * 4 + ["/stream", "/waiting", "/asgi", "/asgi/stream", "/wsgi", "/middleware"]

    def many(count):
        for i in range(count):
            assert app.dispatch("GET", targets[i % len(targets)]).status == 200

    with app.start("127.0.0.1:0"):
        many(2_000)
        tracemalloc.start()
        many(1_000)
        gc.collect()
        python, memory = tracemalloc.get_traced_memory()[0], resident()
        tracemalloc.stop()
        many(96_000)
        tracemalloc.start()
        many(1_000)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < python + 200_000
        tracemalloc.stop()
        assert resident() < memory + 8_000_000
    app.close()
