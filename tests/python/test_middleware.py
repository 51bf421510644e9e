"""Middleware in Python: coroutine functions around the rest, and objects with hooks."""
import asyncio
import threading

import pytest

import gw


def gateway(*stages, handler=lambda c: {"ok": True}):
    app = gw.Gateway()
    app.prefix("/").use(*stages).handle(handler)
    return app


def test_a_coroutine_stands_around_the_rest():
    order = []

    async def outer(c, next):
        order.append("outer in")
        await next()
        order.append("outer out %d" % c.res.status)

    async def inner(c, next):
        order.append("inner in")
        await asyncio.sleep(0)
        await next()
        order.append("inner out")

    def handler(c):
        order.append("handler")
        return 204

    app = gw.Gateway()
    app.use(outer)
    app.get("/").use(inner).handle(handler)
    assert app.dispatch("GET", "/").status == 204
    assert order == ["outer in", "inner in", "handler", "inner out", "outer out 204"]
    order.clear()
    assert app.dispatch("GET", "/nothing").status == 404  # the gateway's stages run for every request
    assert order == ["outer in", "outer out 404"]


def test_hooks_run_in_the_order_of_the_gateway():
    order, over = [], threading.Event()

    class Hooks:
        def __init__(self, name):
            self.name = name

        def request(self, c):
            order.append("request " + self.name)

        async def response(self, c):
            await asyncio.sleep(0)
            order.append("response " + self.name)

        def done(self, c):
            order.append("done " + self.name)
            if self.name == "b":
                over.set()

    app = gateway(Hooks("a"), Hooks("b"))
    app.dispatch("GET", "/")
    assert over.wait(10)
    assert order == ["request a", "request b", "response b", "response a", "done a", "done b"]


REPLIES = [
    (401, 401, "application/json", b'{"message":"Unauthorized"}'),
    ("no", 200, "text/plain; charset=utf-8", b"no"),
    ({"no": 1}, 200, "application/json", b'{"no":1}'),
    (gw.Response(b"x", 403, {"Content-Type": "a/b"}), 403, "a/b", b"x"),
    (gw.Response([b"pie", b"ces"], 403), 403, "application/octet-stream", b"pieces"),
]


@pytest.mark.parametrize("value, status, kind, content", REPLIES)
@pytest.mark.parametrize("when", ["before", "after", "hook before", "hook after"])
def test_a_reply_stops_or_replaces(value, status, kind, content, when):
    called = []

    async def around(c, next):
        if when == "before":
            c.reply(value)
            await next()  # does nothing
            return
        await next()
        c.reply(value)

    class Hooks:
        def request(self, c):
            if when == "hook before":
                c.reply(value)

        def response(self, c):
            if when == "hook after":
                c.reply(value)

    app = gateway(Hooks() if "hook" in when else around, handler=lambda c: called.append(c) or "handler")
    got = app.dispatch("GET", "/")
    assert (got.status, got.header("content-type"), got.body) == (status, kind, content)
    assert len(called) == (1 if "after" in when else 0)


def test_what_a_middleware_changes_is_seen_behind_it(ask, service):
    async def change(c, next):
        c.req.headers["X-Consumer"] = "ann"
        c.req.headers.pop("x-secret", None)
        c.consumer = "ann"
        c.id = "my-id"
        await next()
        c.res.headers["X-Id"] = c.id
        c.res.headers.add("X-Two", "1")
        c.res.headers.add("X-Two", "2")
        c.res.headers.pop("content-type", None)
        c.res.status = 203

    app = gateway(change, handler=lambda c: [c.req.headers["x-consumer"], "x-secret" in c.req.headers, c.consumer, c.id, c.req.headers["x-other"]])
    got = app.dispatch("GET", "/", headers={"X-Secret": "s", "X-Other": "\u00e9"})
    assert (got.status, got.json(), got.header("x-id"), got.header("content-type")) == (203, ["ann", False, "ann", "my-id", "\u00e9"], "my-id", None)
    assert gw.Headers(got.headers).get_all("x-two") == ["1", "2"]

    app = gw.Gateway()
    app.prefix("/").use(change).forward("http://" + service)
    with app.start("127.0.0.1:0") as server:
        status, fields, content = ask(server.port, target="/x")
        assert (status, fields["x-id"], content) == (203, "my-id", b"service /x ann")


def test_state_is_shared_along_a_request_and_forgotten_behind_it():
    seen, over = [], threading.Event()

    async def first(c, next):
        c.state["user"] = "ann"
        await next()
        seen.append(c.state["handler"])

    class Second:
        def done(self, c):
            seen.append(dict(c.state))
            over.set()

    def handler(c):
        c.state["handler"] = True
        return c.state["user"]

    app = gateway(first, Second(), handler=handler)
    assert app.dispatch("GET", "/").text == "ann"
    assert over.wait(10)
    assert seen == [True, {"user": "ann", "handler": True}]
    over.clear()
    app.dispatch("GET", "/")
    over.wait(10)
    # `over` of the first request came before anything of the second.
    assert len(app._crossing.states) <= 1


def test_done_knows_what_became_of_the_request(ask):
    told, over = [], threading.Event()

    class Log:
        def done(self, c):
            told.append((c.req.method, c.req.path, c.res.status, c.res.headers.get("content-type"), c.bytes_sent, c.bytes_received, c.is_complete, c.route, c.elapsed > 0))
            over.set()

    app = gw.Gateway()
    app.use(Log())
    app.post("/x").name("x").handle(lambda c: "hello")
    with app.start("127.0.0.1:0") as server:
        ask(server.port, "POST", "/x", "123")
        assert over.wait(10)
    assert told == [("POST", "/x", 200, "text/plain; charset=utf-8", 5, 3, True, "x", True)]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_context_cannot_be_used_after_done(is_async):
    kept, over = [], threading.Event()

    async def around(c, next):
        kept.append(c)
        await next()

    class Plain:
        def done(self, c):
            kept.append(c)
            assert c.req.path == "/"
            over.set()

    class Waiting:
        async def done(self, c):
            await asyncio.sleep(0)
            Plain.done(self, c)

    def handler(c):
        kept.append(c)
        c.req.headers
        return "ok"

    app = gateway(around, (Waiting if is_async else Plain)(), handler=handler)
    app.dispatch("GET", "/")
    assert over.wait(10)
    app.close()  # so that everything has ended
    assert len(kept) == 3
    uses = [lambda c: c.req.path, lambda c: c.req.headers, lambda c: c.req.body, lambda c: c.params, lambda c: c.id, lambda c: c.consumer, lambda c: c.elapsed]
    for c in kept:
        for use in uses:
            with pytest.raises(gw.Error, match="the request is over"):
                use(c)
    with pytest.raises(gw.Error, match="the request is over"):
        kept[0].res.status
    with pytest.raises(gw.Error, match="the request is over"):
        kept[0].reply(200)
    with pytest.raises(gw.Error, match="the request is over"):
        kept[1].state


async def raises_before(c, next):
    raise KeyError("what went wrong")


async def raises_after(c, next):
    await next()
    raise KeyError("what went wrong")


async def goes_on_twice(c, next):
    await next()
    await next()


async def does_nothing(c, next):
    pass


async def returns(c, next):
    await next()
    return "what"


async def looks_early(c, next):
    c.res.status


async def replies_nonsense(c, next):
    c.reply(object())


async def writes_nonsense(c, next):
    c.req.headers["bad name"] = "x"
    await next()


async def sets_nonsense(c, next):
    await next()
    c.res.status = 99


class RequestRaises:
    def request(self, c):
        raise KeyError("what went wrong")


class ResponseRaises:
    def response(self, c):
        raise KeyError("what went wrong")


MISTAKES = [(raises_before, KeyError), (raises_after, KeyError), (goes_on_twice, gw.Error), (returns, TypeError), (looks_early, gw.Error), (replies_nonsense, TypeError),
            (writes_nonsense, ValueError), (sets_nonsense, ValueError), (RequestRaises(), KeyError), (ResponseRaises(), KeyError)]


@pytest.mark.parametrize("stage, error", MISTAKES)
def test_a_mistake_is_500_and_logged_once(stage, error, caplog):
    app = gateway(stage)
    for _ in range(2):
        assert app.dispatch("GET", "/").json() == {"message": "an unexpected error occurred"}
    assert [record.exc_info[0] for record in caplog.records] == [error] * 2


def test_a_middleware_that_neither_answers_nor_goes_on_is_a_mistake(capfd):
    assert gateway(does_nothing).dispatch("GET", "/").status == 500
    assert "neither replied nor awaited next()" in capfd.readouterr().err


def test_a_done_hook_that_raises_harms_nothing(caplog):
    over = threading.Event()

    class Bad:
        def done(self, c):
            raise KeyError("x")

    class Good:
        def done(self, c):
            over.set()

    app = gateway(Bad(), Good())
    assert app.dispatch("GET", "/").status == 200
    assert over.wait(10)
    assert [record.message for record in caplog.records] == ["a done hook has raised"]


def test_what_is_no_middleware_is_refused():
    for stage in (3, object(), lambda c, next: None):
        with pytest.raises(TypeError, match="async def f"):
            gw.Gateway().use(stage)


def test_a_middleware_with_a_name_can_be_used_by_files(tmp_path):
    async def count(c, next):
        await next()
        c.res.headers["x-count"] = "1"

    file = tmp_path / "gw.yaml"
    file.write_text("listen: 127.0.0.1:0\nuse: [count]\nroutes: [{path: /, reply: 204}]\n")
    app = gw.Gateway.from_file(file)
    app.define("count", count)
    assert app.dispatch("GET", "/").header("x-count") == "1"
    with pytest.raises(gw.ConfigError):
        gw.Gateway.from_file(file).check()


def test_content_is_read_once_and_stays_for_those_behind(ask):
    content = b"x" * 300_000

    async def read(c, next):
        with pytest.raises(gw.Error):
            c.req.body
        assert await c.req.read() == content
        assert c.req.body == content
        await next()

    async def read_response(c, next):
        await next()
        c.reply((await c.res.read()).upper() + b"!")

    app = gw.Gateway()
    app.use(read)
    app.post("/read").use(read_response).handle(lambda c: c.req.body)
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port, "POST", "/read", content)[2] == content.upper() + b"!"


def test_content_that_is_read_goes_upstream(ask):
    seen = []

    def upstream(c):
        seen.append((c.req.headers.get("content-length"), c.req.body))
        return "ok"

    behind = gw.Gateway()
    behind.post("/").handle(upstream)

    async def read(c, next):
        c.req.headers["x-size"] = str(len(await c.req.read()))
        await next()
        assert await c.res.read() == b"ok"

    app = gw.Gateway()
    with behind.start("127.0.0.1:0") as target:
        app.prefix("/").use(read).forward("http://" + target.address)
        with app.start("127.0.0.1:0") as server:
            assert ask(server.port, "POST", "/", b"y" * 70_000)[2] == b"ok"
    assert seen == [("70000", b"y" * 70_000)]


def test_a_proxied_response_that_is_not_read_streams_through(ask):
    async def nothing(c, next):
        await next()

    behind = gw.Gateway()
    behind.get("/").handle(lambda c: (b"z" * 10_000 for _ in range(50)))
    app = gw.Gateway()
    with behind.start("127.0.0.1:0") as target:
        app.prefix("/").use(nothing).forward("http://" + target.address)
        with app.start("127.0.0.1:0") as server:
            assert ask(server.port)[2] == b"z" * 500_000
