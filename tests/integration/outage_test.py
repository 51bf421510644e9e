"""Most or all endpoints of an upstream fail: the last one serves everybody; without it clients are told in time, and all is well after."""
import harness
from unreliable_case import UPSTREAM, UnreliableCase
from unreliable_origin import UnreliableOrigin


class Outage(UnreliableCase):
    def test_two_refuse_connections(self):
        self.endure(self.behave("refuse"), self.recover, faulty=2)

    def test_two_reset_before_their_heads(self):
        self.endure(self.behave("reset"), self.recover, faulty=2)

    def test_two_hang(self):
        self.endure(self.behave("hang"), self.recover, faulty=2)

    def test_two_are_killed_and_started_again(self):
        self.endure(UnreliableOrigin.kill, UnreliableOrigin.start, faulty=2)

    def test_a_few_clients_do_not_notice(self):
        for fault in ("reset", "hang"):
            for clients in (1, 2, 4, 8):
                with self.subTest(fault, clients=clients):
                    self.restart_limit()
                    self.endure(self.behave(fault), self.recover, faulty=2, times=1, clients=clients)

    def fail_and_return(self, begin, end, **upstream):
        self.start(timeouts={"idle": "1s", "first_byte": "2s"}, **upstream)
        load = self.load()
        self.assert_more(load, 300)
        for origin in self.three:
            begin(origin)
        self.wait(lambda: load.failed.total() >= 100, load.state)
        for origin in self.three:
            end(origin)
        for origin in self.three:
            self.assert_more(load, 50, origin)
        load.stop()
        self.assert_fails_well(load)
        with self.load(requests=1000) as load:
            self.assertTrue(load.finish(), load.state())
        self.assertEqual(load.answered.total(), 1000, load.state())
        self.assert_no_connection_is_left()

    def test_all_are_down_and_return(self):
        faults = [("refuse", {}), ("hang", {}), ("reset", {}), ("reset_in_head", {}), ("answer", {"after": 10})]
        for behaviour, options in faults:
            with self.subTest(behaviour, **options):
                self.restart_limit()
                self.fail_and_return(lambda origin: origin.behave(behaviour, **options), lambda origin: origin.behave())

    def test_all_are_killed_and_return(self):
        self.fail_and_return(lambda origin: origin.kill(), lambda origin: origin.start())

    def test_all_are_stopped_and_return(self):
        self.fail_and_return(lambda origin: origin.stop(), lambda origin: origin.go_on())

    def test_when_nobody_is_well_everybody_is_asked(self):
        self.start(health={"eject": {**UPSTREAM["health"]["eject"], "share": 100}})
        self.all_behave("refuse")
        for _ in range(10):
            self.assert_message(self.ask(self.gw), 502)
        self.assertEqual([self.is_up(origin) for origin in self.three].count(True), 0)
        self.assertGreater(self.value("gw_upstream_panics_total"), 0)
        self.all_behave()
        # None of them is up for a second, but all are asked.
        self.assertEqual(self.ask(self.gw).status, 200)
        self.wait(lambda: self.ask(self.gw).status == 200 and all(map(self.is_up, self.three)))


if __name__ == "__main__":
    harness.main()
