"""How to test a gateway without sockets: `dispatch` runs a request through routes, stages and handlers, `explain` says what would happen."""
from foobar import app


def test_foo() -> None:
    assert app.dispatch("GET", "/foo").text == "Hello from foo"


def test_bar() -> None:
    assert app.dispatch("GET", "/bar/Ann").json() == {"hello": "Ann"}


def test_elsewhere() -> None:
    assert app.explain("GET", "/elsewhere/x")["upstream"] == "http://127.0.0.1:5001"
