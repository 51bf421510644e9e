"""Which requests are tried again, and which are not."""
import harness
from unreliable_case import UnreliableCase

# Neither budget nor ejection is what these tests are about.
RETRIES = {"per_try": "300ms", "floor": 1000}
NO_EJECTION = {"eject": {"failures": 0, "error_rate": 0}}


class TryAgain(UnreliableCase):
    def start_and_fail(self, behaviour, faulty, retries=(), **upstream):
        """The first of three endpoints, asked in turn, fail."""
        self.start(balance="round_robin", retries={**RETRIES, **dict(retries)}, health=NO_EJECTION, **upstream)
        for origin in self.three[:faulty]:
            origin.behave(behaviour)

    def sent(self):
        return self.value("gw_upstream_retries_total", outcome="sent")

    def test_what_is_tried_again_and_what_is_not(self):
        key = [("Idempotency-Key", "\"8e03978e\"")]
        small, large = b"x" * 1000, b"x" * 100_000
        # A method, fields, content, options, and whether that may be sent twice.
        cases = [
            ("GET", [], None, {}, True),
            ("HEAD", [], None, {}, True),
            ("OPTIONS", [], None, {}, True),
            ("DELETE", [], None, {}, True),
            ("PUT", [], small, {}, True),
            ("PUT", [], large, {"body": "128KiB"}, True),
            ("PUT", [], large, {}, False),
            ("PUT", [], small, {"body": 0}, False),
            ("PUT", [], small, {"max": 0}, False),
            ("POST", [], None, {}, False),
            ("POST", [], small, {}, False),
            ("POST", key, small, {}, True),
            ("POST", key, large, {}, False),
            ("POST", [], small, {"all_methods": True}, True),
            ("PATCH", [], small, {}, False),
            ("PATCH", key, small, {}, True),
        ]
        for method, fields, content, retries, is_tried_again in cases:
            with self.subTest(method, fields=fields, size=content and len(content), **retries):
                self.restart_limit()
                # All reset after they have received the request.
                self.start_and_fail("reset", 3, retries)
                for n in range(3):
                    self.assertEqual(self.ask(self.gw, method, "/%d" % n, fields=fields, body=content).status, 502)
                self.assertEqual(self.requests(), 9 if is_tried_again else 3)
                self.assertEqual(self.sent(), 6 if is_tried_again else 0)
                # One is well, and gets what may be sent again.
                self.three[2].behave()
                answers = [self.ask(self.gw, method, "/%d" % n, fields=fields, body=content) for n in range(9)]
                self.assertEqual([answer.status for answer in answers].count(200), 9 if is_tried_again else 3)
                for n, answer in enumerate(answers):
                    if answer.status == 200:
                        self.assertEqual(answer.body, b"three %s /%d %s" % (method.encode(), n, content or b"") if method != "HEAD" else b"")

    def test_a_body_that_is_too_large_to_be_sent_again_is_counted_and_logged(self):
        self.start_and_fail("reset", 3)
        self.assert_message(self.ask(self.gw, "PUT", body=b"x" * 100_000), 502)
        self.assertEqual(self.value("gw_upstream_retries_total", outcome="body_too_large"), 1)
        self.gw.wait_log(r"retries\.body")

    def test_a_request_that_has_reached_nobody_goes_to_another_endpoint_whatever_it_is(self):
        for method in ("GET", "PUT", "POST", "PATCH"):
            with self.subTest(method):
                # A connection that could not be made is no retry.
                self.start_and_fail("refuse", 2, {"max": 0})
                for _ in range(12):
                    answer = self.ask(self.gw, method, body=None if method == "GET" else b"x" * 100)
                    self.assertEqual((answer.status, answer.get("x-origin")), (200, "three"))
                self.assertEqual(self.three[2].counts()["requests"], 12)
                self.assertEqual(self.sent(), 0)

    def test_each_way_of_getting_no_answer(self):
        # What the others do, what the upstream is told, and what a client of it gets if all do it.
        cases = [("reset", {}, {}, 502), ("reset_in_head", {}, {}, 502), ("hang", {}, {}, 504), ("answer", {"after": 10}, {}, 504),
                 ("answer", {"status": 503}, {"statuses": [503]}, 503), ("answer", {"status": 500}, {"statuses": [500]}, 500)]
        for behaviour, options, retries, status in cases:
            with self.subTest(behaviour, **options, **retries):
                self.restart_limit()
                self.start_and_fail("answer", 0, {"per_try": "1s", **retries}, timeouts={"first_byte": "3s"})
                self.all_behave(behaviour, **options)
                self.assertEqual(self.ask(self.gw).status, status)
                self.assertEqual(self.requests(), 3)
                self.three[0].behave()
                for _ in range(3):
                    self.assertEqual(self.ask(self.gw).get("x-origin"), "one")
                # Without retries two of three fail.
                self.gw.reload({**self.gw.config, "upstreams": {"u": {**self.gw.config["upstreams"]["u"], "retries": 0}}})
                self.assertEqual([self.ask(self.gw).status for _ in range(3)].count(200), 1)

    def test_a_status_that_is_not_listed_is_an_answer(self):
        self.start_and_fail("answer", 0)
        self.all_behave("answer", status=503)
        for _ in range(3):
            answer = self.ask(self.gw)
            self.assertEqual(answer.status, 503)
            self.assertIn(answer.get("x-origin"), ("one", "two", "three"))
        self.assertEqual(self.requests(), 3)

    def test_all_tries_together_have_a_bound(self):
        # Else it would be four tries and then 30 s.
        self.start_and_fail("hang", 3, {"max": 4, "per_try": "500ms", "total": "2s"})
        self.assert_message(self.ask(self.gw), 504)
        self.assertIn(self.requests(), range(2, 5))


if __name__ == "__main__":
    harness.main()
