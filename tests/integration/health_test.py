"""What is known of endpoints from checks and from requests, and who gets no requests for it."""
import harness
from unreliable_case import UnreliableCase

# No request fails for want of budget.
RETRIES = {"per_try": "300ms", "floor": 1000}


class Health(UnreliableCase):
    def ask_many(self, count, *origins):
        """Asks often; only these origins answer."""
        names = {self.ask(self.gw, target="/%d" % n).get("x-origin") for n in range(count)}
        self.assertEqual(names, {origin.name for origin in origins})

    def test_an_endpoint_whose_check_fails_gets_no_requests(self):
        # What the first endpoint does besides answering requests.
        faults = [("its status is 500", lambda o: o.health(500), lambda o: o.health(200)),
                  ("its status is no expected one", lambda o: o.health(204), lambda o: o.health(200)),
                  ("it hangs", lambda o: o.behave("hang"), lambda o: o.behave()),
                  ("it resets", lambda o: o.behave("reset"), lambda o: o.behave()),
                  ("it refuses", lambda o: o.behave("refuse"), lambda o: o.behave()),
                  ("it is stopped", lambda o: o.stop(), lambda o: o.go_on()),
                  ("it is killed", lambda o: o.kill(), lambda o: o.start())]
        self.start(health={"check": {"path": "/health", "status": 200, "interval": "200ms", "timeout": "200ms", "healthy": 2, "unhealthy": 2}})
        first, *others = self.three
        for name, begin, end in faults:
            with self.subTest(name):
                self.restart_limit()
                self.wait(lambda: all(map(self.is_up, self.three)))
                self.ask_many(100, *self.three)
                begin(first)
                # Nobody has to ask for it to be found out.
                self.wait(lambda: not self.is_up(first))
                self.ask_many(100, *others)
                end(first)
                self.wait(lambda: self.is_up(first))
                self.gw.wait_log("upstream u: %s is up again: its check succeeds$" % first.address)
                before = first.counts()["requests"]
                self.wait(lambda: self.ask(self.gw).status == 200 and first.counts()["requests"] > before)

    def test_what_a_check_found_first_counts_at_once(self):
        self.start()
        self.three[0].health(500)
        config = self.gw.config["upstreams"]["u"]
        self.gw.reload({**self.gw.config, "upstreams": {"u": {**config, "health": {"check": {"path": "/health", "interval": "60s"}}}}})
        self.wait(lambda: not self.is_up(self.three[0]))
        self.gw.wait_log("upstream u: %s is out: its check fails$" % self.three[0].address)
        self.ask_many(60, *self.three[1:])
        # Without checks nothing is known of it.
        self.gw.reload({**self.gw.config, "upstreams": {"u": config}})
        self.wait(lambda: self.is_up(self.three[0]))

    def test_a_connection_is_answer_enough_for_tcp(self):
        for check in ("tcp", {"interval": "200ms", "timeout": "200ms"}):
            with self.subTest(check):
                self.start(health={"check": check if check != "tcp" else "tcp"})
                first = self.three[0]
                first.behave("refuse")
                self.wait(lambda: not self.is_up(first))
                # It accepts, and says nothing.
                first.behave("hang")
                self.wait(lambda: self.is_up(first))
                first.behave()
                self.ask_many(60, *self.three)
                self.assertEqual(sum(origin.counts()["checks"] for origin in self.three), 0)

    def test_an_endpoint_is_ejected_after_failures_in_a_row_and_comes_back(self):
        self.start(balance="round_robin", retries=RETRIES, health={"eject": {"failures": 5, "time": "1s", "longest": "1s"}})
        first, *others = self.three
        first.behave("reset")
        for n in range(60):
            self.assertEqual(self.ask(self.gw, target="/%d" % n).status, 200)
        self.assertEqual(self.value("gw_upstream_ejections_total"), 1)
        self.assertFalse(self.is_up(first))
        self.assertTrue(all(map(self.is_up, others)))
        self.gw.wait_log("upstream u: %s fails requests, and is out for 1000 ms$" % first.address)
        # Five for a reason; what is asked now and then decides whether it may come back.
        self.assertEqual(self.value("gw_upstream_retries_total", outcome="sent"), first.counts()["requests"])
        self.assertLessEqual(first.counts()["requests"], 10)
        first.behave()
        self.wait(lambda: self.ask(self.gw).status == 200 and self.is_up(first))
        self.gw.wait_log("upstream u: %s is up again$" % first.address)
        self.ask_many(30, *self.three)
        self.assertEqual(self.value("gw_upstream_panics_total"), 0)

    def test_an_endpoint_is_ejected_for_its_rate_of_failures(self):
        # Failures are never in a row: every second one of the same connection is well.
        self.start(balance="round_robin", retries={**RETRIES, "statuses": [503]},
                   health={"eject": {"failures": 0, "error_rate": 50, "requests": 20, "window": "60s", "time": "60s", "longest": "60s"}})
        first = self.three[0]
        for n in range(60):
            first.behave("answer", status=503 if n % 2 else 200)
            for _ in range(3):
                self.assertEqual(self.ask(self.gw).status, 200)
            if not self.is_up(first):
                break
        self.assertFalse(self.is_up(first))
        self.assertGreaterEqual(n, 10)
        self.ask_many(60, *self.three[1:])

    def test_not_more_than_a_share_is_ejected(self):
        self.start(health={"eject": {"share": 34, "time": "60s", "longest": "60s"}}, retries=RETRIES)
        for origin in self.three[:2]:
            origin.behave("reset")
        for n in range(60):
            self.assertEqual(self.ask(self.gw).status, 200)
        self.assertEqual([self.is_up(origin) for origin in self.three].count(False), 1)
        self.assertEqual(self.value("gw_upstream_ejections_total"), 1)


if __name__ == "__main__":
    harness.main()
