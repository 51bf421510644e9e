"""Configuration from Python: it says what a file says, and is checked as one."""
import json

import pytest

import gw


def test_a_route_forwards(ask, service):
    app = gw.Gateway()
    app.prefix("/foo").forward("http://" + service)
    with app.start("127.0.0.1:0") as server:
        assert server.address == "127.0.0.1:%d" % server.port
        assert ask(server.port, target="/foo/x?y")[::2] == (200, b"service /foo/x?y -")
        assert ask(server.port, target="/bar")[0] == 404


def test_upstreams_and_stages_have_the_options_of_files(ask, service):
    app = gw.Gateway()
    up = app.upstream("up", [service, {"address": "127.0.0.1:1", "weight": 0}], balance="round_robin", timeouts={"connect": "1s"})
    app.use("request_id", gw.stage("ip_filter", allow=["127.0.0.0/8"]))
    app.prefix("/").use(gw.stage("rate_limit", rate=1, per="1h")).forward(up)
    with app.start("127.0.0.1:0") as server:
        assert [ask(server.port)[0] for _ in range(3)] == [200, 429, 429]
        assert app.endpoints(up) == [(service, 1), ("127.0.0.1:1", 0)]


def test_endpoints_come_and_go_while_it_runs(ask, service):
    app = gw.Gateway()
    up = app.upstream("up", ["127.0.0.1:1"])
    app.prefix("/").forward(up)
    with app.start("127.0.0.1:0") as server:
        assert ask(server.port)[0] == 502
        app.set_endpoint(up, service)
        app.remove_endpoint("up", "127.0.0.1:1")
        assert ask(server.port)[0] == 200
        with pytest.raises(gw.ConfigError):
            app.set_endpoint(up, "no address")


def test_every_verb_of_a_route_is_a_key_of_its_configuration():
    app = gw.Gateway({"listen": "127.0.0.1:0"})
    route = app.regex("/v(?P<n>[0-9]+)/.*").name("r").host("a.example", "*.b.example").methods("GET", "PUT").header("x-a", "1").query("q", "*")
    route.priority(3).keep_slashes().timeouts(first_byte="5m").limits(body="1KiB").forward("http://127.0.0.1:1")
    app.prefix("/old").redirect("/new{rest}", 308)
    app.path("/up").reply(200, json={"up": True})
    app.prefix("/api").strip_prefix().rewrite("/v2{rest}").preserve_host().upgrade().forward({"split": {"http://127.0.0.1:1": 9, "http://127.0.0.1:2": 1}})
    assert app.check() == []
    assert app.dispatch("GET", "/up").json() == {"up": True}
    assert app.dispatch("GET", "/old/x").header("location") == "/new/x"
    assert app.explain("GET", "/v1/x?q=1", {"host": "a.example", "x-a": "1"})["route"] == "r"
    assert app.explain("GET", "/api/x")["upstream"] == "http://127.0.0.1:1"
    assert "/old" in app.routes()


def test_what_is_wrong_is_said_all_at_once():
    app = gw.Gateway({"workers": "many", "lissten": 1})
    with pytest.raises(gw.ConfigError) as raised:
        app.check()
    assert [(p.path, p.line, p.file) for p in raised.value.problems] == [("workers", 0, ""), ("", 0, ""), ("listen", 0, "")]
    assert str(raised.value).splitlines()[:2] == ['workers: expected a whole number from 0 to 1024, found "many"', 'unknown key "lissten" (did you mean "listen"?)']
    assert isinstance(raised.value, gw.Error) and isinstance(raised.value, ValueError)
    app = gw.Gateway({"listen": "127.0.0.1:0"})
    app.prefix("x").forward("nobody")
    app.path("/x").handle("nobody")
    with pytest.raises(gw.ConfigError) as raised:
        app.start()
    assert {p.path for p in raised.value.problems} == {"routes[0]", "routes[0].forward", "routes[1].handler"}


def test_a_file_and_code_together(tmp_path, ask, service):
    file = tmp_path / "gw.yaml"
    file.write_text("listen: 127.0.0.1:0\nroutes:\n  - {prefix: /foo, forward: 'http://%s'}\n  - {path: /h, handler: hello}\n" % service)
    app = gw.Gateway.from_file(file)
    app.define_handler("hello", lambda c: "hello")
    app.path("/code").reply(204)
    with app.start() as server:
        assert ask(server.port, target="/foo")[0] == 200
        assert ask(server.port, target="/h")[2] == b"hello"
        assert ask(server.port, target="/code")[0] == 204
        file.write_text(file.read_text() + "  - {path: /more, reply: 204}\n")
        app.reload()
        assert [ask(server.port, target=t)[0] for t in ("/more", "/code")] == [204, 204]
        file.write_text("listen: 127.0.0.1:0\nroutes: [{prefix: /, forward: nobody}]\n")
        with pytest.raises(gw.ConfigError) as raised:
            app.reload()
        assert str(raised.value).startswith("%s:2:" % file)
        assert ask(server.port, target="/more")[0] == 204


def test_code_changes_single_settings_of_a_file(tmp_path, ask):
    file = tmp_path / "gw.yaml"
    file.write_text("listen: 127.0.0.1:0\nlimits: {head: 10000, body: 1MiB}\nroutes: [{path: /, methods: [POST], reply: 204}]\n")
    app = gw.Gateway.from_file(file)
    app.config["limits"] = {"body": "1KiB"}
    with app.start() as server:
        for large_head in (10000, 12000):
            assert ask(server.port, "POST", x="x" * large_head)[0] == 431
            assert ask(server.port, "POST", body=b"x" * 2000)[0] == 413
            assert ask(server.port, "POST", x="x" * (large_head - 1000), body=b"x" * 1000)[0] == 204
            file.write_text(file.read_text().replace("10000", "12000"))
            app.reload()


def test_a_configuration_is_applied_while_it_runs(ask):
    app = gw.Gateway()
    app.path("/a").reply(204)
    with app.start("127.0.0.1:0") as server:
        with pytest.raises(gw.Error):
            app.path("/b")
        config = {**app.config, "routes": [{"path": "/b", "reply": 204}]}
        app.apply(config)
        assert [ask(server.port, target=t)[0] for t in ("/a", "/b")] == [404, 204]
        with pytest.raises(gw.ConfigError):
            app.apply({"listen": config["listen"], "routes": [{"path": "/c", "forward": "nobody"}]})
        assert ask(server.port, target="/b")[0] == 204


def test_the_admin_listener(ask):
    app = gw.Gateway()
    app.admin("127.0.0.1:0").listen("127.0.0.1:0", trusted=["10.0.0.0/8"])
    with app.start() as server:
        assert b"gw_requests_total" in ask(server.admin_port, target="/metrics")[2]
        assert json.loads(ask(server.admin_port, target="/health")[2])


def test_requests_that_are_none():
    app = gw.Gateway()
    for method, target in (("get", "/"), ("GET", "x"), ("GET", "/ "), ("GET", "/#")):
        with pytest.raises(ValueError):
            app.dispatch(method, target)
    with pytest.raises(ValueError):
        app.dispatch("GET", "/", headers={"bad name": "x"})
