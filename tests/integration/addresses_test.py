"""Endpoints that are no IP addresses: names of this machine, and Unix sockets. Names of DNS are in tests/unit/names_test.cpp."""
import os
import pathlib
import tempfile

import harness


class Addresses(harness.TestCase):
    def test_an_endpoint_may_be_a_name(self):
        backend = self.origin()
        gw = self.gateway({"upstreams": {"named": "localhost:%d" % backend.port}, "routes": [{"prefix": "/", "forward": "named"}]})
        # It may stand for ::1, too, where nobody listens.
        for _ in range(10):
            self.assertEqual(self.ask(gw).status, 200)
        self.assertEqual(backend.requests[0].get("host"), "localhost:%d" % backend.port)

    def path(self):
        return str(pathlib.Path(tempfile.mkdtemp(dir=self.directory)) / "origin.sock")

    def test_an_endpoint_may_be_a_unix_socket(self):
        backend = self.origin(path=self.path())
        gw = self.in_front_of(backend)
        client = self.client(gw)
        for content in (b"", b"x", b"x" * 300_000):
            self.assertEqual(client.request("POST", "/a?b", body=content).status, 200)
            self.assertEqual(backend.requests[-1].body, content)
            self.assertEqual(backend.requests[-1].target, "/a?b")
        self.assertEqual(backend.requests[0].get("host"), "localhost")
        self.assertEqual(backend.connections, 1)

    def test_a_unix_socket_that_is_not_there_is_a_bad_gateway_until_it_is(self):
        path = self.path()
        gw = self.gateway({"upstreams": {"up": {"endpoints": ["unix:" + path]}}, "routes": [{"prefix": "/", "forward": "up"}]})
        self.assert_message(self.ask(gw), 502)
        backend = self.origin(path=path)
        self.assertEqual(self.ask(gw).status, 200)
        backend.close()
        self.assertTrue(harness.eventually(lambda: self.ask(gw).status == 502))
        os.remove(path)
        self.origin(path=path)
        self.assertEqual(self.ask(gw).status, 200)

    def test_a_unix_socket_is_checked(self):
        healthy, dead = self.origin(path=self.path()), self.origin(path=self.path())
        dead.close()
        check = {"health": {"check": {"interval": "100ms", "timeout": "100ms"}}}
        gw = self.in_front_of(healthy, dead, upstream=check)
        for _ in range(20):
            self.assertEqual(self.ask(gw).status, 200)


if __name__ == "__main__":
    harness.main()
