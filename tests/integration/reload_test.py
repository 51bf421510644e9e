"""SIGHUP: another configuration while requests run."""
import signal

import harness


def config(origin, version, **more):
    """Everything goes to `origin`; responses say which configuration made them."""
    return {"upstreams": {"origin": [origin.address]}, "routes": [{"prefix": "/", "forward": "origin"}],
            "use": [{"headers": {"response": {"set": {"x-version": str(version)}}}}], **more}


class Reload(harness.TestCase):
    def version(self, gateway):
        return self.ask(gateway).get("x-version")

    def test_a_good_file_switches_routes(self):
        foo, bar = self.origin(), self.origin(lambda _, peer: peer.reply(b"bar"))
        gw = self.gateway(config(foo, 1))
        self.assertEqual((self.ask(gw).body, self.version(gw)), (b"ok", "1"))
        gw.reload(config(bar, 2))
        self.assertEqual((self.ask(gw).body, self.version(gw)), (b"bar", "2"))

    def test_an_open_connection_gets_the_new_routes_with_its_next_request(self):
        foo, bar = self.origin(), self.origin(lambda _, peer: peer.reply(b"bar"))
        gw = self.gateway(config(foo, 1))
        client = self.client(gw)
        self.assertEqual(client.request().body, b"ok")
        gw.reload(config(bar, 2))
        self.assertEqual(client.request().body, b"bar")

    def test_a_running_request_keeps_the_old_configuration(self):
        release = harness.threading.Event()

        def answer(_, peer):
            release.wait(20)
            peer.reply(b"late")

        slow, quick = self.origin(answer), self.origin()
        gw = self.gateway(config(slow, 1))
        client = self.client(gw)
        client.ask()
        self.assertTrue(slow.wait(lambda: slow.requests))
        gw.reload(config(quick, 2))
        self.assertEqual(self.version(gw), "2")
        release.set()
        response = client.read()
        self.assertEqual((response.body, response.get("x-version")), (b"late", "1"))

    @harness.unittest.skipIf(harness.IS_SANITIZED, "sanitizers keep what is freed")
    def test_the_memory_of_the_configuration_before_goes_back_to_the_system(self):
        many = config(self.origin(), 1)
        many["routes"] += [{"path": "/service%d/items/{id}" % i, "forward": "origin"} for i in range(50000)]
        gw = self.gateway(many)
        before = gw.resident_memory()
        for _ in range(2):
            gw.reload(many)
        # It would be 8 MiB if the last configuration stayed, and more if what loading takes did.
        self.assertLess(gw.resident_memory() - before, 2 << 20)

    def test_a_broken_file_keeps_the_old_routes_and_says_why(self):
        gw = self.gateway(config(self.origin(), 1))
        gw.file.write_text('{"listen": "127.0.0.1:0",\n "routs": [],\n "routes": [{"prefix": "/", "forward": "nobody"}]}')
        gw.signal(signal.SIGHUP)
        gw.wait_log("gw: error: reload failed, the old configuration serves on")
        gw.wait_log(r'gw: error: .*gw\.json:2:2: unknown key "routs"')
        gw.wait_log(r"gw: error: .*gw\.json:3:40: routes\[0\]\.forward: ")
        self.assertEqual(self.version(gw), "1")
        gw.file.unlink()
        gw.signal(signal.SIGHUP)
        gw.wait_log("reload failed", times=2)
        self.assertEqual(self.version(gw), "1")

    def test_new_listeners_open_and_removed_ones_close(self):
        origin = self.origin()
        first, second, third = (harness.free_port() for _ in range(3))
        at = "127.0.0.1:%d"
        gw = self.gateway(config(origin, 1, listen=[at % first, at % second]))
        client = self.client(first)
        self.assertEqual(client.request().status, 200)
        gw.reload(config(origin, 2, listen=[at % second, at % third]))
        self.assertFalse(harness.accepts(first))
        for port in (second, third):
            self.assertEqual(self.client(port).request().get("x-version"), "2")
        # The listener is gone; what it had accepted is not.
        self.assertEqual(client.request().get("x-version"), "2")

    def test_a_listener_that_cannot_open_changes_nothing(self):
        origin = self.origin()
        gw = self.gateway(config(origin, 1))
        fresh = harness.free_port()
        gw.write(config(origin, 2, listen=["127.0.0.1:0", "127.0.0.1:%d" % fresh, origin.address]))
        gw.signal(signal.SIGHUP)
        gw.wait_log(r"listen\[2\]: cannot listen on %s" % origin.address)
        self.assertEqual(self.version(gw), "1")
        self.assertFalse(harness.accepts(fresh))

    def test_another_number_of_workers_is_reported_and_changes_nothing(self):
        origin = self.origin()
        gw = self.gateway(config(origin, 1))
        gw.write(config(origin, 2, workers=3))
        gw.signal(signal.SIGHUP)
        gw.wait_log(r"workers: the number of workers cannot change while the gateway runs; it is 2")
        self.assertEqual(self.version(gw), "1")

    def test_no_request_fails_during_ten_reloads(self):
        service, spare = harness.free_port(), [harness.free_port(), harness.free_port()]
        self.process([harness.gw_program, "demo", "--port", str(service)])
        self.assertTrue(harness.eventually(lambda: harness.accepts(service)))

        def numbered(n):
            """A configuration with a listener and a route that the one before does not have."""
            return {"listen": ["127.0.0.1:0", "127.0.0.1:%d" % spare[n % 2]],
                    "routes": [{"prefix": "/foo", "forward": "http://127.0.0.1:%d" % service},
                               {"prefix": "/n%d" % n, "forward": "http://127.0.0.1:1"}],
                    "use": [{"headers": {"response": {"set": {"x-version": str(n)}}}}]}

        gw = self.gateway(numbered(0))
        # Much longer than ten reloads take, also on a machine that is busy.
        wrk = harness.Wrk(gw.port, "/foo", connections=64, seconds=10)
        for n in range(1, 11):
            self.assertTrue(wrk.is_running(0.2), "wrk ended before the reloads did")
            gw.reload(numbered(n))
            self.assertEqual(self.ask(gw, target="/foo").get("x-version"), str(n))
        requests, bad = wrk.result()
        self.assertGreater(requests, 0)
        self.assertEqual(bad, 0)


if __name__ == "__main__":
    harness.main()
