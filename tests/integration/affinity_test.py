"""Who answers whom: splits between upstreams, cookies and hashes that keep a client where it was."""
import collections
import json
import subprocess

import harness
from unreliable_case import UnreliableCase
from load import Load
from unreliable_origin import UnreliableOrigin


class Split(harness.TestCase):
    limit = 120

    def setUp(self):
        super().setUp()
        self.versions = UnreliableOrigin.several(["v1", "v2"])
        for origin in self.versions:
            self.addCleanup(origin.close)

    def start(self, **forward):
        """A gateway that forwards to v1 and v2, each with one origin of that name."""
        self.gw = self.gateway({"upstreams": {origin.name: [origin.address] for origin in self.versions},
                                "routes": [{"prefix": "/", "forward": forward}]})

    def sides(self, count, *fields):
        """Which origins answer a client that sends these fields."""
        with harness.wire.Client(self.gw.port) as client:
            return collections.Counter(client.request(target="/%d" % n, fields=fields).get("x-origin") for n in range(count))

    def test_each_part_gets_its_share(self):
        self.start(split={"v1": 95, "v2": 5})
        load = Load(self.gw.port, requests=20_000)
        self.addCleanup(load.stop)
        self.assertTrue(load.finish(), load.state())
        self.assertEqual(load.answered.total(), 20_000, load.state())
        # Further off than six times what chance gives.
        self.assertAlmostEqual(load.answered["v2"] / 20_000, 0.05, delta=0.01)

    def test_a_client_stays_on_its_side(self):
        cases = [({"header": "x-user"}, lambda n: [("X-User", "user-%d" % n)]), ({"cookie": "user"}, lambda n: [("Cookie", "a=b; user=u%d; c=d" % n)])]
        for key, fields_of in cases:
            with self.subTest(key):
                self.start(split={"v1": 70, "v2": 30}, hash=key)
                seen = [self.sides(20, *fields_of(n)) for n in range(50)]
                self.assertEqual({len(sides) for sides in seen}, {1}, seen)
                self.assertEqual(set().union(*seen), {"v1", "v2"})
                # It stays there for more than one gateway, or one start of it.
                before, first = seen, self.gw
                self.gw = self.gateway(first.config)
                self.assertEqual([set(self.sides(1, *fields_of(n))) for n in range(50)], [set(sides) for sides in before])
                # Who has none is sent anywhere.
                self.assertEqual(self.sides(200).keys(), {"v1", "v2"})

    def test_a_client_that_has_no_side_yet_keeps_the_one_it_has_when_the_shares_change(self):
        self.start(split={"v1": 90, "v2": 10}, hash={"header": "x-user"})
        before = [set(self.sides(1, ("X-User", "user-%d" % n))) for n in range(50)]
        self.gw.reload({**self.gw.config, "routes": [{"prefix": "/", "forward": {"split": {"v1": 50, "v2": 50}, "hash": {"header": "x-user"}}}]})
        after = [set(self.sides(1, ("X-User", "user-%d" % n))) for n in range(50)]
        # Who was on the side that grows stays there.
        self.assertEqual({side for was, side in zip(map(frozenset, before), map(frozenset, after)) if was == {"v2"}} - {frozenset({"v2"})}, set())

    def test_a_request_may_choose_its_side(self):
        cases = [({"header": "x-upstream"}, lambda side: ("X-Upstream", side)), ({"cookie": "upstream"}, lambda side: ("Cookie", "upstream=" + side))]
        for key, field_of in cases:
            with self.subTest(key):
                self.start(split={"v1": 100, "v2": 0}, chosen_by=key)
                self.assertEqual(self.sides(20, field_of("v2")), {"v2": 20})
                self.assertEqual(self.sides(20, field_of("v1")), {"v1": 20})
                # What is no part of the split chooses nothing.
                self.assertEqual(self.sides(20, field_of("v3")), {"v1": 20})
                self.assertEqual(self.sides(20), {"v1": 20})

    def test_an_explanation_shows_the_parts(self):
        self.start(split={"v1": 95, "v2": 5}, hash={"header": "x-user"}, chosen_by={"header": "x-upstream"})
        text = subprocess.run([harness.gw_program, "explain", str(self.gw.file), "GET", "http://a/x"], stdout=subprocess.PIPE, check=True).stdout.decode()
        for what in ("v1", "v2", "95", "5", "x-user", "x-upstream"):
            self.assertIn(what, text.lower())
        json.loads(subprocess.run([harness.gw_program, "explain", "--json", str(self.gw.file), "GET", "http://a/x"], stdout=subprocess.PIPE,
                                  check=True).stdout)


class Sticky(UnreliableCase):
    SECRET = "0123456789abcdef"

    def cookie_of(self, response):
        """What a client sends back."""
        (cookie,) = response.fields.all("set-cookie")
        self.assertRegex(cookie, r"^gw=[!-~]+")
        return cookie.split(";", 1)[0]

    def names(self, count, *fields):
        return {self.ask(self.gw, target="/%d" % n, fields=fields).get("x-origin") for n in range(count)}

    def start_sticky(self, **sticky):
        self.start(sticky={"secret": self.SECRET, **sticky}, balance="round_robin")

    def test_a_client_stays_with_its_endpoint(self):
        self.start_sticky()
        seen = set()
        for _ in range(6):
            response = self.ask(self.gw)
            name = response.get("x-origin")
            cookie = self.cookie_of(response)
            self.assertEqual(self.names(20, ("Cookie", "a=b; " + cookie)), {name})
            # Who has one gets no other.
            self.assertEqual(self.ask(self.gw, fields=[("Cookie", cookie)]).fields.all("set-cookie"), [])
            seen.add(name)
        self.assertEqual(seen, {"one", "two", "three"})

    def test_a_cookie_tells_nothing_and_is_good_for_other_gateways_with_the_secret(self):
        self.start_sticky()
        response = self.ask(self.gw)
        cookie = self.cookie_of(response)
        self.assertNotIn(str(self.three[0].port), cookie)
        self.gw = self.gateway(self.gw.config)
        self.assertEqual(self.names(20, ("Cookie", cookie)), {response.get("x-origin")})

    def test_a_cookie_that_the_gateway_has_not_made_is_ignored(self):
        self.start_sticky()
        made = self.cookie_of(self.ask(self.gw))
        other = self.gateway({**self.gw.config, "upstreams": {"u": {**self.gw.config["upstreams"]["u"], "sticky": {"secret": "x" * 16}}}})
        with_other_secret = self.cookie_of(self.ask(other))
        changed = made[:-1] + ("a" if made[-1] != "a" else "b")
        for cookie in ("gw=", "gw=x", "gw=" + self.three[0].address, "gw=one", changed, made + "x", made[:-1], with_other_secret, "gw=" + "x" * 4000):
            with self.subTest(cookie[:80]):
                response = self.ask(self.gw, fields=[("Cookie", cookie)])
                self.assertEqual(response.status, 200)
                self.assertNotEqual(self.cookie_of(response), cookie)
                self.assertEqual(self.names(9, ("Cookie", cookie)), {"one", "two", "three"})

    def test_a_client_whose_endpoint_dies_moves_and_stays_there(self):
        self.start_sticky()
        response = self.ask(self.gw)
        cookie, name = self.cookie_of(response), response.get("x-origin")
        gone = next(origin for origin in self.three if origin.name == name)
        gone.kill()
        response = self.ask(self.gw, fields=[("Cookie", cookie)])
        self.assertEqual(response.status, 200)
        self.assertNotEqual(response.get("x-origin"), name)
        moved = self.cookie_of(response)
        self.assertNotEqual(moved, cookie)
        gone.start()
        self.wait(lambda: self.ask(self.gw).status == 200 and self.is_up(gone))
        self.assertEqual(self.names(20, ("Cookie", moved)), {response.get("x-origin")})


class Maglev(UnreliableCase):
    def names_by_value(self, fields_of, count=5):
        return [{self.ask(self.gw, target="/%d" % n, fields=fields_of(value)).get("x-origin") for n in range(count)} for value in range(30)]

    def test_the_same_value_goes_to_the_same_endpoint(self):
        cases = [({"header": "x-user"}, lambda n: [("X-User", "user-%d" % n)]), ({"cookie": "user"}, lambda n: [("Cookie", "user=u%d" % n)])]
        for key, fields_of in cases:
            with self.subTest(key):
                self.restart_limit()
                self.start(balance="maglev", hash=key)
                before = self.names_by_value(fields_of)
                self.assertEqual({len(names) for names in before}, {1}, before)
                self.assertEqual(set().union(*before), {"one", "two", "three"})
                # A request without it goes anywhere.
                self.assertEqual({self.ask(self.gw).get("x-origin") for _ in range(60)}, {"one", "two", "three"})
                # One leaves: its values find another endpoint, all the same one each; few of the others move.
                self.three[0].kill()
                self.wait(lambda: self.ask(self.gw).status == 200 and not self.is_up(self.three[0]))
                during = self.names_by_value(fields_of, 1)
                self.assertLessEqual(set().union(*during), {"two", "three"})
                moved = [(was, names) for was, names in zip(before, during) if was != {"one"} and was != names]
                self.assertLessEqual(len(moved), 6, moved)
                # It returns, and so do they.
                self.three[0].start()
                self.wait(lambda: self.ask(self.gw).status == 200 and self.is_up(self.three[0]))
                self.assertEqual(self.names_by_value(fields_of, 1), before)

    def test_by_path(self):
        self.start(balance="maglev", hash="path")
        names = [{self.ask(self.gw, target="/%d?%d" % (n, query)).get("x-origin") for query in range(5)} for n in range(30)]
        self.assertEqual({len(n) for n in names}, {1}, names)
        self.assertEqual(set().union(*names), {"one", "two", "three"})

    def test_by_the_address_of_the_client(self):
        self.start(balance="maglev", hash="client_address")

        def name(source):
            with self.client(self.gw, source=source) as client:
                return client.request().get("x-origin")

        names = [{name("127.0.1.%d" % n) for _ in range(5)} for n in range(1, 31)]
        self.assertEqual({len(n) for n in names}, {1}, names)
        self.assertEqual(set().union(*names), {"one", "two", "three"})


if __name__ == "__main__":
    harness.main()
