"""Three origins that fail as a test tells them to, behind one upstream."""
import harness
from load import Load
from metrics_test import MetricsCase
from unreliable_origin import UnreliableOrigin

NAMES = ("one", "two", "three")
# Short times, so that a fault can come and go in seconds. What is not said has its default.
UPSTREAM = {
    "timeouts": {"idle": "1s"},
    "retries": {"per_try": "300ms"},
    "health": {"eject": {"time": "1s", "longest": "2s"}},
}
# What may be left of a fault in memory, in bytes.
GROWTH = 4 * 1024 * 1024


class UnreliableCase(MetricsCase):
    """Three origins behind one upstream."""
    limit = 120

    def setUp(self):
        super().setUp()
        self.three = UnreliableOrigin.several(NAMES)
        for origin in self.three:
            self.addCleanup(origin.close)

    def start(self, **upstream):
        """Starts a gateway in front of them; they are as new."""
        for origin in self.three:
            origin.forget()
        self.gw = self.gateway({
            "upstreams": {"u": {"endpoints": [origin.address for origin in self.three], **UPSTREAM, **upstream}},
            "routes": [{"prefix": "/", "forward": "u"}],
        })

    def load(self, clients=16, **options):
        load = Load(self.gw.port, clients, **options)
        self.addCleanup(load.stop)
        return load

    def all_behave(self, behaviour="answer", **options):
        for origin in self.three:
            origin.behave(behaviour, **options)

    def requests(self):
        """How many requests have reached the origins."""
        return sum(origin.counts()["requests"] for origin in self.three)

    def value(self, name, **labels):
        return self.numbers(self.gw)(name, upstream="u", **labels)

    def is_up(self, origin):
        return self.value("gw_upstream_endpoint_up", endpoint=origin.address) == 1

    def wait(self, what, said=""):
        self.assertTrue(harness.eventually(what, 30), said() if callable(said) else said)

    def assert_more(self, load, count, origin=None):
        """That so many more requests are answered, by an origin."""
        self.assertTrue(load.wait_more(count, origin and origin.name), "%s\nand not %d more of %s" % (
            load.state(), count, origin.name if origin else "anybody"))

    def assert_no_connection_is_left(self):
        """That all connections to the origins close when nobody needs them."""
        self.wait(lambda: all(origin.counts()["connections"] == 0 for origin in self.three),
                  lambda: "open connections: %s" % {origin.name: origin.counts()["connections"] for origin in self.three})
        self.wait(lambda: self.value("gw_upstream_connections_open") == 0, lambda: self.admin(self.gw, "/metrics").body.decode())

    def assert_fails_well(self, load):
        """That clients have seen nothing but right answers and errors with a message, all in time."""
        self.assertFalse(load.problems, load.state())
        self.assertEqual(load.cut, 0, load.state())
        self.assertLessEqual(load.failed.keys(), {502, 503, 504}, load.state())
        self.assertLess(load.slowest, 10)

    def endure(self, begin, end, faulty=1, times=3, clients=16, may_cut=False, **upstream):
        """Has some of three endpoints fail and recover several times under load."""
        self.start(**upstream)
        load = self.load(clients)
        for origin in self.three:
            self.assert_more(load, 100, origin)
        memory = []
        for _ in range(times):
            ejections = self.value("gw_upstream_ejections_total")
            for origin in self.three[:faulty]:
                begin(origin)
            self.wait(lambda: self.value("gw_upstream_ejections_total") >= ejections + faulty, lambda: "no ejection\n" + load.state())
            self.assert_more(load, 300)
            for origin in self.three[:faulty]:
                end(origin)
            for origin in self.three:
                self.assert_more(load, 50, origin)
            memory.append(self.gw.resident_memory())
        load.stop()
        self.assertFalse(load.problems, load.state())
        self.assertFalse(load.failed, load.state())
        self.assertEqual(load.cut > 0, may_cut, load.state())
        self.assertLess(load.slowest, 10)
        self.assert_no_connection_is_left()
        if not harness.IS_SANITIZED:
            self.assertLess(memory[-1] - memory[0], GROWTH, memory)

    @staticmethod
    def behave(*behaviour, **options):
        """What begins a fault."""
        return lambda origin: origin.behave(*behaviour, **options)

    @staticmethod
    def recover(origin):
        origin.behave("answer")
