"""slowhttptest with 1,000 connections that are slow on purpose: they are cut at the limits, and others are served meanwhile."""
import resource
import statistics
import subprocess
import threading
import time

import harness
from metrics_test import MetricsCase

CONNECTIONS = 1000
LARGE = bytes(1 << 20)


class Probe:
    """A client that asks again and again, each time on a connection of its own, until it is stopped."""

    def __init__(self, gw):
        self.gw, self.statuses, self.times, self.ending = gw, [], [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ending.wait(0.01):
            begin = time.monotonic()
            try:
                with harness.wire.Client(self.gw.port) as client:
                    self.statuses.append(client.request(target="/probe").status)
            except Exception as error:  # told by the test
                self.statuses.append(repr(error))
            self.times.append(time.monotonic() - begin)

    def end(self):
        self.ending.set()
        self.thread.join()
        return self

    def median(self):
        """Of the time for connect, request and answer, in ms."""
        return statistics.median(self.times) * 1000


class SlowClients(MetricsCase):
    limit = 120

    def setUp(self):
        super().setUp()
        harness.need("slowhttptest")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limits[1] < 4 * CONNECTIONS:
            self.skipTest("too few file descriptors are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)

        def answer(request, peer):
            peer.reply(LARGE if request.target == "/large" else b"ok")

        backend = self.origin(answer)
        self.gw = self.gateway({
            "timeouts": {"client_header": "3s", "client_body": "3s", "client_write": "3s", "client_idle": "3s"},
            "upstreams": {"origin": {"endpoints": [backend.address], "connections": 2 * CONNECTIONS}},
            "routes": [{"prefix": "/", "forward": "origin"}],
        })

    def attack(self, kind, *options, path="/", limits):
        """Has slowhttptest attack, and a probe ask beside it. All of its connections must be cut, for one of the `limits`."""
        alone = Probe(self.gw)
        alone.ending.wait(1)
        alone.end()
        probe = Probe(self.gw)
        attack = subprocess.run(["slowhttptest", "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", "30", "-p", "5", *options,
                                 "-u", "http://127.0.0.1:%d%s" % (self.gw.port, path)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        probe.end()
        print("\n  %s: the probe's median is %.1f ms, without the attack %.1f ms; %d answers; reached: %s" % (
            kind, probe.median(), alone.median(), len(probe.times),
            {limit[0]: int(n) for limit, n in self.numbers(self.gw).by("gw_limits_reached_total", "limit").items()}), flush=True)
        self.assertEqual(set(alone.statuses + probe.statuses), {200}, attack.stdout)
        self.assertGreater(len(probe.times), 10)
        numbers = self.numbers(self.gw)
        # slowhttptest has a connection of its own, to see whether the server answers.
        self.assertGreaterEqual(sum(numbers("gw_limits_reached_total", limit=limit) for limit in limits), CONNECTIONS, attack.stdout)
        self.assertTrue(harness.eventually(lambda: self.numbers(self.gw)("gw_connections_open") == 0))
        self.assertEqual(self.numbers(self.gw)("gw_requests_in_flight"), 0)

    def test_slow_heads(self):
        self.attack("slow head", "-H", "-i", "1", "-x", "24", limits=["timeouts.client_header"])

    def test_slow_bodies(self):
        self.attack("slow body", "-B", "-i", "1", "-s", "8192", "-x", "10", limits=["timeouts.client_body", "limits.body_rate"])

    def test_slow_readers(self):
        self.attack("slow read", "-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", path="/large",
                    limits=["timeouts.client_write", "limits.write_rate"])


if __name__ == "__main__":
    harness.main()
