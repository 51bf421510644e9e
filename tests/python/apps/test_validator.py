"""The validator lets pass what the specification allows, and nothing else."""
import asyncio

import pytest

from validator import Fault, Validator

GONE = object()  # the server's send raises OSError
SCOPE = {
    "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/r/\u00e9",
    "raw_path": b"/r/%C3%A9", "query_string": b"a=%20", "root_path": "/r", "headers": [(b"host", b"a")], "client": ("127.0.0.1", 1), "server": ("a", 80),
}
LIFESPAN = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
REQUEST = {"type": "http.request", "body": b"", "more_body": False}
LEAVE = {"type": "http.disconnect"}
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"ab"}
STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
STARTED, ENDED = {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}


def with_length(length):
    return {**SCOPE, "headers": [(b"content-length", length)]}


def start(**changes):
    return {**START, **changes}


def talk(validator, messages):
    """Has a validated application receive and send these."""
    async def application(scope, receive, send):
        for message in messages:
            if message is GONE or "response" in message["type"] or message["type"].endswith((".complete", ".failed")):
                try:
                    await send(BODY if message is GONE else message)
                except OSError:
                    pass
            else:
                await receive()

    incoming = iter([message for message in messages if message is not GONE and message["type"] in ("http.request", "http.disconnect", "lifespan.startup", "lifespan.shutdown", "odd")])

    async def receive():
        return next(incoming)

    async def send(message):
        if message is BODY and GONE in messages:
            raise OSError

    validator._application = application
    return receive, send


def faults_of(scope, messages, validator=None):
    validator = validator or Validator(None)
    receive, send = talk(validator, messages)
    try:
        asyncio.run(validator(scope, receive, send))
    except Fault as fault:
        assert validator.faults[-1] == str(fault)
    return validator.faults


ALLOWED = {
    "a request and its response": (SCOPE, [REQUEST, START, BODY]),
    "a response without a look at the request": (SCOPE, [START, BODY]),
    "the client leaves after the response": (SCOPE, [REQUEST, START, BODY, LEAVE, LEAVE]),
    "the client leaves before the response": (SCOPE, [LEAVE]),
    "a send says that the client has left": (SCOPE, [START, GONE]),
    "pieces": (with_length(b"4"), [{**REQUEST, "body": b"ab", "more_body": True}, {**REQUEST, "body": b"cd"}, START, {**BODY, "more_body": True}, BODY]),
    "chunked content": ({**SCOPE, "headers": [(b"transfer-encoding", b"chunked")]}, [{**REQUEST, "body": b"abc"}, START, BODY]),
    "HEAD with a length": ({**SCOPE, "method": "HEAD"}, [start(headers=[(b"content-length", b"9")]), {"type": "http.response.body"}]),
    "a lifespan": (LIFESPAN, [STARTUP, STARTED, SHUTDOWN, ENDED]),
    "a lifespan that fails": (LIFESPAN, [STARTUP, {"type": "lifespan.startup.failed", "message": "why"}]),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_passes(name):
    assert faults_of(*ALLOWED[name]) == []


WRONG_VALUES = [
    ("http", "asgi", {"version": "2.0"}), ("http", "asgi", {"version": "3.0", "spec_version": "9"}), ("http", "http_version", "HTTP/1.1"), ("http", "http_version", 1.1),
    ("http", "method", "get"), ("http", "method", b"GET"), ("http", "scheme", ""), ("http", "scheme", "ws"), ("http", "path", "r"), ("http", "path", b"/r"),
    ("http", "raw_path", "/r"), ("http", "raw_path", b"/r?a"), ("http", "query_string", "a"), ("http", "query_string", None), ("http", "root_path", "/r/"), ("http", "root_path", None),
    ("http", "headers", None), ("http", "headers", [("host", "a")]), ("http", "headers", [(b"Host", b"a")]), ("http", "headers", [(b":authority", b"a")]),
    ("http", "headers", [(b"a", b"1\r\nb: 2")]), ("http", "headers", [(b"a",)]), ("http", "client", ("a", "1")), ("http", "client", ("", 1)), ("http", "client", ("a", None)),
    ("http", "server", (b"a", 80)), ("http", "server", ("a", 65536)), ("http", "state", None), ("http", "extensions", ["x"]), ("http", "extensions", {"x": None}),
    ("lifespan", "asgi", {"version": "3.0", "spec_version": "2.4"}), ("lifespan", "asgi", {}), ("lifespan", "state", None),
]


@pytest.mark.parametrize("kind, key, value", WRONG_VALUES)
def test_a_scope_with_a_wrong_value_is_a_fault(kind, key, value):
    scope = {**(SCOPE if kind == "http" else LIFESPAN), key: value}
    assert faults_of(scope, []) == ["the scope has a wrong %r: %r" % (key, value)]


@pytest.mark.parametrize("kind, key", [("http", key) for key in ("asgi", "http_version", "method", "path", "query_string", "headers")] + [("lifespan", "asgi")])
def test_a_scope_that_lacks_a_key_is_a_fault(kind, key):
    scope = dict(SCOPE if kind == "http" else LIFESPAN)
    del scope[key]
    assert faults_of(scope, []) == ["the scope lacks %r" % key]


WRONG = {
    "the scope is no dict": (None, []),
    "a scope of the type 'ftp'": ({**SCOPE, "type": "ftp"}, []),
    "a scope of the type None": ({}, []),
    "the scope has an unknown key 'x'": ({**SCOPE, "x": 1}, []),
    "path '/r/\u00e9' does not begin with root_path '/x'": ({**SCOPE, "root_path": "/x"}, []),
    "path '/r/\u00e9' is not the decoded raw_path b'/r'": ({**SCOPE, "raw_path": b"/r"}, []),
    "the request has several b'host'": ({**SCOPE, "headers": [(b"host", b"a"), (b"host", b"b")]}, []),
    "the request has a Content-Length and a Transfer-Encoding": ({**SCOPE, "headers": [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")]}, []),
    "the Content-Length of the request is b'+1'": (with_length(b"+1"), []),
    "the request has 1 bytes of content, not 0": (SCOPE, [{**REQUEST, "body": b"a"}]),
    "the request has 1 bytes of content, not 2": (with_length(b"2"), [{**REQUEST, "body": b"a"}]),
    "the request has 3 bytes of content, not 2": (with_length(b"2"), [{**REQUEST, "body": b"abc", "more_body": True}]),
    "a message of the type 'odd'": (SCOPE, [{"type": "odd"}]),
    "http.request has a wrong 'body': 'a'": (SCOPE, [{**REQUEST, "body": "a"}]),
    "http.request has a wrong 'more_body': 1": (SCOPE, [{**REQUEST, "more_body": 1}]),
    "http.disconnect has an unknown key 'code'": (SCOPE, [{**LEAVE, "code": 1}]),
    "http.request after the request has ended": (SCOPE, [REQUEST, REQUEST]),
    "http.request after http.disconnect": (SCOPE, [LEAVE, REQUEST]),
    "the server sent lifespan.startup to a request": (SCOPE, [STARTUP]),
    "http.response.start lacks 'status'": (SCOPE, [{"type": "http.response.start"}]),
    "http.response.start has a wrong 'status': '200'": (SCOPE, [start(status="200")]),
    "http.response.start has a wrong 'status': 100": (SCOPE, [start(status=100)]),
    "http.response.start has a wrong 'headers': [(b'A', b'1')]": (SCOPE, [start(headers=[(b"A", b"1")])]),
    "http.response.start has a wrong 'headers': [('a', '1')]": (SCOPE, [start(headers=[("a", "1")])]),
    "trailers that the server does not know": (SCOPE, [start(trailers=True)]),
    "a second http.response.start": (SCOPE, [START, START]),
    "http.response.body before http.response.start": (SCOPE, [BODY]),
    "http.response.body has a wrong 'body': 'a'": (SCOPE, [START, {**BODY, "body": "a"}]),
    "http.response.body has a wrong 'body': None": (SCOPE, [START, {**BODY, "body": None}]),
    "http.response.body after the response has ended": (SCOPE, [START, BODY, BODY]),
    "http.response.start after the response has ended": (SCOPE, [START, BODY, START]),
    "the application sent lifespan.startup.complete to a request": (SCOPE, [STARTED]),
    "the response has several Content-Lengths": (SCOPE, [start(headers=[(b"content-length", b"1")] * 2)]),
    "the Content-Length of the response is b'x'": (SCOPE, [start(headers=[(b"content-length", b"x")])]),
    "the response has 2 bytes of content, not 1": (SCOPE, [start(headers=[(b"content-length", b"1")]), {**BODY, "more_body": True}]),
    "the response has 2 bytes of content, not 3": (SCOPE, [start(headers=[(b"content-length", b"3")]), BODY]),
    "the application returned before its response had ended": (SCOPE, [START, {**BODY, "more_body": True}]),
    "the server sent lifespan.shutdown": (LIFESPAN, [SHUTDOWN]),
    "the server sent lifespan.startup then lifespan.startup": (LIFESPAN, [STARTUP, STARTED, STARTUP]),
    "the server sent http.request": (LIFESPAN, [REQUEST]),
    "lifespan.shutdown before an answer to lifespan.startup": (LIFESPAN, [STARTUP, SHUTDOWN]),
    "lifespan.startup.complete without lifespan.startup": (LIFESPAN, [STARTED]),
    "lifespan.startup.complete after an answer to lifespan.startup": (LIFESPAN, [STARTUP, STARTED, STARTED]),
    "lifespan.shutdown.complete without lifespan.shutdown": (LIFESPAN, [STARTUP, STARTED, ENDED]),
    "lifespan.startup.failed has a wrong 'message': None": (LIFESPAN, [STARTUP, {"type": "lifespan.startup.failed", "message": None}]),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_a_fault(fault):
    assert faults_of(*WRONG[fault]) == [fault]


@pytest.mark.parametrize("state, fault", [
    ({"a": 1}, None),
    (None, "the scope lacks the state of the lifespan"),
    ({}, "the state is not that of the lifespan"),
    ({"a": 2}, "the state is not that of the lifespan"),
    ("same", "the state is the lifespan's itself, not a copy"),
])
def test_each_request_has_a_copy_of_the_state(state, fault):
    validator, shared = Validator(None), {"a": 1}
    assert faults_of({**LIFESPAN, "state": shared}, [STARTUP, STARTED], validator) == []
    scope = dict(SCOPE) if state is None else {**SCOPE, "state": shared if state == "same" else state}
    assert faults_of(scope, [START, BODY], validator) == ([fault] if fault else [])


def test_a_fault_is_noted_though_the_application_swallows_it():
    async def application(scope, receive, send):
        try:
            await send({"type": "odd"})
        except AssertionError:
            pass
        await send(START)
        await send(BODY)

    async def send(message):
        pass

    validator = Validator(application)
    asyncio.run(validator(SCOPE, None, send))
    assert validator.faults == ["a message of the type 'odd'"]
