"""When all endpoints of an upstream fail, trying again does not multiply what they are asked."""
import harness
from unreliable_case import UnreliableCase

# What is asked of the origins, as a multiple of what clients ask.
AMPLIFICATION = 1.25


class RetryBudget(UnreliableCase):
    def test_retries_do_not_multiply_an_outage(self):
        hang = {"timeouts": {"first_byte": "1s"}, "retries": {"per_try": "150ms"}}
        # What they do, how many clients ask how often, and what the upstream is told besides.
        cases = [
            (("reset", {}), 16, 2000, {}),
            (("reset_in_head", {}), 16, 2000, {}),
            (("answer", {"status": 503}), 16, 2000, {"retries": {"statuses": [503]}}),
            (("answer", {"status": 503}), 1, 400, {"retries": {"statuses": [503], "backoff": "5ms"}}),
            (("refuse", {}), 16, 2000, {}),
            (("hang", {}), 48, 600, hang),
            (("hang", {}), 48, 600, {**hang, "health": {"eject": {"share": 0}}}),
        ]
        for (behaviour, options), clients, count, upstream in cases:
            with self.subTest(behaviour, **options, clients=clients, **upstream):
                self.restart_limit()
                self.start(**upstream)
                self.all_behave(behaviour, **options)
                load = self.load(clients, requests=count)
                self.assertTrue(load.finish(), load.state())
                self.assert_fails_well(load)
                self.assertEqual(load.failed.total(), count, load.state())
                reached = self.requests()
                self.assertLess(reached, AMPLIFICATION * count, load.state())
                if behaviour != "refuse":
                    self.assertGreaterEqual(reached, count)
                    numbers = self.numbers(self.gw)
                    self.assertEqual(numbers("gw_upstream_retries_total", upstream="u", outcome="sent"), reached - count, numbers.text)
                    self.assertGreater(numbers("gw_upstream_retries_total", upstream="u", outcome="no_budget"), 0, numbers.text)


if __name__ == "__main__":
    harness.main()
