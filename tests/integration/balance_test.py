"""How requests are spread over the endpoints of an upstream."""
import threading

import harness


class Balance(harness.TestCase):
    def front(self, endpoints, balance, count):
        """gw in front of origins with weights, asked `count` times; how many requests each got."""
        weighted = [{"address": o.address, "weight": w} for o, w in endpoints]
        upstream = {"endpoints": weighted, "balance": balance}
        gw = self.gateway({"upstreams": {"many": upstream}, "routes": [{"prefix": "/", "forward": "many"}]})
        client = self.client(gw)
        for _ in range(count):
            self.assertEqual(client.request().status, 200)
        return [len(o.requests) for o, _ in endpoints]

    def test_round_robin_gives_each_endpoint_its_exact_share(self):
        cases = [((1, 1, 1), [20, 20, 20]), ((3, 2, 1), [30, 20, 10]), ((10, 20, 30), [10, 20, 30]), ((0, 1, 2), [0, 20, 40])]
        for weights, shares in cases:
            with self.subTest(weights):
                self.assertEqual(self.front([(self.origin(), w) for w in weights], "round_robin", 60), shares)

    def test_round_robin_counts_over_all_workers_and_clients(self):
        origins = [self.origin() for _ in range(3)]
        gw = self.in_front_of(*origins, upstream={"balance": "round_robin"})
        for _ in range(60):
            self.assertEqual(self.ask(gw).status, 200)
        self.assertEqual([len(o.requests) for o in origins], [20, 20, 20])

    def test_p2c_spreads(self):
        shares = self.front([(self.origin(), 1) for _ in range(3)], "p2c", 300)
        self.assertEqual(sum(shares), 300)
        # A third each; a tenth would be off by more than chance gives in a lifetime.
        self.assertGreater(min(shares), 30)

    def test_p2c_avoids_the_endpoint_that_is_busy(self):
        release = threading.Event()

        def answer(request, peer):
            if request.target == "/held":
                release.wait(30)
            peer.reply()

        origins = [self.origin(answer) for _ in range(3)]
        gw = self.in_front_of(*origins)
        held = self.client(gw)
        held.ask(target="/held")
        self.assertTrue(harness.eventually(lambda: any(o.requests for o in origins)))
        busy = next(o for o in origins if o.requests)
        for _ in range(30):
            self.assertEqual(self.ask(gw).status, 200)
        self.assertEqual(len(busy.requests), 1)
        release.set()
        self.assertEqual(held.read().status, 200)


if __name__ == "__main__":
    harness.main()
