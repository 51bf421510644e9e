"""Endpoints that fail under load, each in its way: while one of an upstream is well, no client notices."""
import harness
from unreliable_case import UnreliableCase
from unreliable_origin import UnreliableOrigin


class Chaos(UnreliableCase):
    def test_one_is_killed_and_started_again(self):
        self.endure(UnreliableOrigin.kill, UnreliableOrigin.start)

    def test_one_is_stopped_and_goes_on(self):
        self.endure(UnreliableOrigin.stop, UnreliableOrigin.go_on)

    def test_one_refuses_connections(self):
        self.endure(self.behave("refuse"), self.recover)

    def test_one_accepts_and_hangs(self):
        self.endure(self.behave("hang"), self.recover)

    def test_one_resets_before_its_head(self):
        self.endure(self.behave("reset"), self.recover)

    def test_one_resets_inside_its_head(self):
        self.endure(self.behave("reset_in_head"), self.recover)

    def test_one_becomes_slow(self):
        self.endure(self.behave(after=10), self.recover)

    def test_one_answers_503_which_is_tried_again(self):
        self.endure(self.behave(status=503), self.recover, retries={"per_try": "300ms", "statuses": [503]})

    def test_one_flaps_every_second(self):
        self.endure(self.behave("flap"), self.recover, times=2)

    def test_a_response_that_has_begun_and_breaks_is_seen_to_be_cut(self):
        # None of them looks complete: that would be a wrong answer.
        self.endure(self.behave("reset_in_body"), self.recover, may_cut=True)

    def test_with_checks_one_is_killed_and_started_again(self):
        self.endure(UnreliableOrigin.kill, UnreliableOrigin.start,
                    health={"check": {"path": "/health", "interval": "500ms", "timeout": "300ms"}, "eject": {"time": "1s", "longest": "2s"}})

    def test_with_every_way_to_choose_one_refuses_connections(self):
        for balance in ("round_robin", "least_requests", "random", "maglev"):
            with self.subTest(balance):
                self.restart_limit()
                choice = {"balance": balance, **({"hash": "path"} if balance == "maglev" else {})}
                self.endure(self.behave("refuse"), self.recover, times=1, **choice)


if __name__ == "__main__":
    harness.main()
