"""A gateway that may open no more file descriptors: new clients get an answer at once, the others do not notice."""
import os
import resource

import harness
from metrics_test import MetricsCase, Numbers

OVERLOADED = "the gateway is overloaded; try again later"
NO_CONNECTION = "the gateway cannot open more connections; try again later"


class Descriptors(MetricsCase):
    def exhaust(self, gw, free):
        """Takes away all descriptors but `free`, and uses those up. The clients that did."""
        limit = max(map(int, os.listdir("/proc/%d/fd" % gw.pid))) + 1 + free
        resource.prlimit(gw.pid, resource.RLIMIT_NOFILE, (limit, limit))
        clients = []
        while gw.descriptors() < limit:
            clients.append(self.client(gw))
            self.assertEqual(clients[-1].request(target="/ok").status, 200)
        return clients

    def front(self):
        self.one, self.other = self.origin(), self.origin()
        gw = self.gateway({
            "upstreams": {"one": {"endpoints": [self.one.address], "timeouts": {"idle": "60s"}}, "other": self.other.address},
            "routes": [{"prefix": "/one", "forward": "one"}, {"prefix": "/other", "forward": "other"}, {"path": "/ok", "reply": 200}],
        })
        # A connection of its own, since there are no others later.
        self.scraper = self.client(gw.admin)
        return gw

    def scraped(self):
        return Numbers(self.scraper.request(target="/metrics").body.decode())

    def test_new_clients_get_503_at_once_and_others_do_not_notice(self):
        gw = self.front()
        self.scraped()
        first = self.client(gw)
        self.assertEqual(first.request(target="/one").status, 200)
        clients = self.exhaust(gw, 8)
        self.assertGreaterEqual(len(clients), 8)

        for _ in range(20):
            surplus = self.client(gw)
            response = surplus.read()
            self.assert_message(response, 503, OVERLOADED)
            self.assertEqual(response.get("connection"), "close")
            self.assertTrue(surplus.is_closed())
        for client in clients:
            self.assertEqual(client.request(target="/ok").status, 200)
        # Its upstream's connection is open.
        self.assertEqual(first.request(target="/one").status, 200)
        self.assertEqual(self.one.connections, 1)

        # There is none to the other upstream: that is no fault of the upstream.
        for _ in range(2):
            self.assert_message(clients[0].request(target="/other"), 503, NO_CONNECTION)
        self.assertEqual(clients[0].request(target="/ok").status, 200)
        self.assertEqual(self.other.connections, 0)

        numbers = self.scraped()
        self.assertEqual(numbers("gw_limits_reached_total", limit="descriptors"), 20)
        self.assertEqual(numbers("gw_upstream_connection_failures_total", error="out_of_descriptors"), 2)
        self.assertEqual(numbers("gw_request_failures_total", error="out_of_descriptors"), 2)
        self.assertEqual(gw.count("out of file descriptors"), 1)

        # With descriptors there are connections again, for clients and for upstreams.
        for client in clients[1:5]:
            client.close()
        fresh = []

        def is_accepted():
            client = self.client(gw)
            try:
                if client.request(target="/ok").status != 200:
                    return False
            except (OSError, harness.wire.Cut):
                return False
            fresh.append(client)
            return True

        self.assertTrue(harness.eventually(is_accepted))
        self.assertTrue(harness.eventually(lambda: fresh[0].request(target="/other").status == 200))
        self.assertEqual(gw.count("out of file descriptors"), 1)

    def test_many_who_come_at_the_same_time_are_all_answered(self):
        gw = self.front()
        clients = self.exhaust(gw, 4)
        crowd = [self.client(gw) for _ in range(300)]
        for client in crowd:
            self.assertEqual(client.read().status, 503)
        # What was held back for them is there again, for as many more.
        crowd = [self.client(gw) for _ in range(300)]
        for client in crowd:
            self.assertEqual(client.read().status, 503)
        for client in clients:
            self.assertEqual(client.request(target="/ok").status, 200)


if __name__ == "__main__":
    harness.main()
