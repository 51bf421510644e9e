"""A wrong configuration: what `gw check` and `gw run` say about it."""
import json
import re
import socket
import subprocess

import harness

# Each line that is wrong has its entry in EXPECTED.
FIVE_MISTAKES = """\
listen: 127.0.0.1:99999
timeouts: {client_idle: 75}
upstreams:
  users:
    endpoints: ["127.0.0.1:8080"]
    balanse: p2c
routes:
  - {prefix: /foo, forward: userz}
  - {prefix: bar, forward: users}
"""
# Line and column of each, the path in the configuration, and a word of the explanation.
EXPECTED = [
    (1, 9, "listen", "99999"),
    (2, 25, "timeouts.client_idle", "unit"),
    (6, 5, "upstreams.users", "balance"),
    (8, 29, "routes[0].forward", "users"),
    (9, 5, "routes[1]", 'must start with "/"'),
]


class Check(harness.TestCase):
    def gw(self, command, file):
        done = subprocess.run([harness.gw_program, command, str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def file(self, text, name="gw.yaml"):
        file = self.directory / name
        file.write_text(text)
        return file

    def test_five_mistakes_give_five_lines_with_their_places(self):
        file = self.file(FIVE_MISTAKES)
        for command in ("check", "run"):
            with self.subTest(command):
                status, output, said = self.gw(command, file)
                self.assertEqual((status, output), (1, ""), said)
                lines = said.splitlines()
                self.assertEqual(len(lines), 5, said)
                for line, (row, column, path, word) in zip(lines, EXPECTED):
                    place = "%s:%d:%d: %s: " % (file, row, column, path)
                    self.assertEqual(line[:len(place)], place)
                    self.assertIn(word, line[len(place):])

    def test_mistakes_in_the_text_do_not_hide_those_in_the_routes(self):
        routes = ("routes:\n  - {prefix: bar, forward: 'http://127.0.0.1:1'}\n"
                  "  - {prefix: /x, forward: 'http://127.0.0.1:1'}\n  - {prefix: /x, forward: 'http://127.0.0.1:2'}\n")
        for text, count in ((routes, 2), ("workers: many\n" + routes, 3)):
            with self.subTest(count):
                _, _, said = self.gw("check", self.file("listen: 127.0.0.1:0\n" + text))
                self.assertEqual(len(said.splitlines()), count, said)
                self.assertIn("conflicts with", said)

    def test_json_has_places_too(self):
        file = self.file('{"listen": "127.0.0.1:0",\n "routes": [\n  {"prefix": "/", "forward": "nobody"}]}', "gw.json")
        status, _, said = self.gw("check", file)
        self.assertEqual(status, 1)
        self.assertRegex(said, re.escape(str(file)) + r":3:30: routes\[0\]\.forward: ")

    def test_a_good_file_is_ok(self):
        file = self.file("listen: 127.0.0.1:8000\nroutes:\n  - {prefix: /foo, forward: 'http://127.0.0.1:5001'}\n")
        self.assertEqual(self.gw("check", file), (0, "%s: ok\n" % file, ""))

    def test_a_route_that_never_wins_is_a_warning(self):
        file = self.file("listen: 127.0.0.1:0\nroutes:\n  - {name: one, prefix: /x, headers: {h: '1'}, forward: 'http://127.0.0.1:1'}\n"
                         "  - {name: any, prefix: /x, headers: {h: '*'}, forward: 'http://127.0.0.1:1'}\n")
        warning = '%s:3:5: routes[0]: warning: route "one" never gets a request: "any" (line 4) wins all that it would take\n' % file
        self.assertEqual(self.gw("check", file), (0, "%s: ok\n" % file, warning))

    def test_the_routes_of_a_file_are_shown(self):
        file = self.file("routes:\n  - {prefix: /, use: [beta_gate], forward: 'http://127.0.0.1:1'}\n"
                         "  - {path: '/users/{id}', host: h.test, methods: [GET, PUT], handler: user}\n")
        tree = ('h.test\n└─ /users/{id}\n   └─ =  GET,PUT  -> "/users/{id}"\nany host\n└─ /* any method  -> "/"\n')
        self.assertEqual(self.gw("routes", file), (0, tree, ""))
        status, shown, said = self.gw("routes", self.file("routes:\n  - {prefix: x, forward: 'http://127.0.0.1:1'}\n"))
        self.assertEqual((status, shown), (1, ""))
        self.assertIn('must start with "/"', said)

    def test_a_missing_file_is_named(self):
        status, _, said = self.gw("run", self.directory / "none.yaml")
        self.assertEqual(status, 1)
        self.assertIn("none.yaml", said)

    def test_a_busy_port_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            file = self.file(json.dumps({"listen": [address], "routes": [{"prefix": "/", "forward": "http://127.0.0.1:1"}]}), "gw.json")
            status, _, said = self.gw("run", file)
        self.assertEqual(status, 1)
        self.assertRegex(said, r"gw\.json:1:\d+: listen\[0\]: cannot listen on %s: Address already in use" % re.escape(address))

    def test_a_second_gateway_on_the_same_port_is_refused(self):
        first = self.in_front_of(self.origin())
        config = {"listen": "127.0.0.1:%d" % first.port, "routes": [{"prefix": "/", "forward": "http://127.0.0.1:1"}]}
        status, _, said = self.gw("run", self.file(json.dumps(config), "second.json"))
        self.assertEqual(status, 1)
        self.assertIn(str(first.port), said)
        self.assertEqual(self.ask(first).status, 200)

    def test_the_demo_answers_like_the_article(self):
        port = harness.free_port()
        demo = self.process([harness.gw_program, "demo", "--port", str(port)])
        self.assertTrue(harness.eventually(lambda: harness.accepts(port)))
        base = "http://127.0.0.1:%d" % port
        self.assertEqual(self.curl(base + "/foo"), b'{"msg":"Hello from the foo microservice"}')
        self.assertEqual(self.curl(base + "/bar"), b'{"msg":"Hello from the bar microservice"}')
        self.assertEqual(self.curl(base + "/"), harness.NO_ROUTE)
        demo.signal(harness.signal.SIGTERM)
        self.assertEqual(demo.wait(), 0, demo.text())


if __name__ == "__main__":
    harness.main()
