"""How to test gateways without sockets: `dispatch` runs a request through routes, stages, handlers and applications, `explain` says what would happen."""
import auth
import foobar
import two_services
import with_fastapi


def test_foo() -> None:
    assert foobar.app.dispatch("GET", "/foo").text == "Hello from foo"


def test_bar() -> None:
    assert foobar.app.dispatch("GET", "/bar/Ann").json() == {"hello": "Ann"}


def test_elsewhere() -> None:
    assert foobar.app.explain("GET", "/elsewhere/x")["upstream"] == "http://127.0.0.1:5001"


def test_two_services_in_one_process() -> None:
    for name in ("foo", "bar"):
        assert two_services.app.dispatch("GET", "/" + name).json() == {"msg": "Hello from the %s microservice" % name}
    assert two_services.app.explain("GET", "/elsewhere")["upstream"] == "http://127.0.0.1:5001"


def test_an_application_of_fastapi() -> None:
    assert with_fastapi.app.dispatch("GET", "/api/items/7").json() == {"number": 7}
    assert with_fastapi.app.dispatch("GET", "/api/items/x").status == 422
    assert with_fastapi.app.dispatch("GET", "/api/nothing").status == 404


def test_who_has_no_token_is_refused() -> None:
    refused = auth.app.dispatch("GET", "/")
    assert (refused.status, refused.header("www-authenticate")) == (401, "Bearer")
    passed = auth.app.dispatch("GET", "/", headers={"Authorization": "Bearer let-me-in"})
    assert passed.json() == {"hello": "ann"}
    assert passed.header("x-seconds") is not None
