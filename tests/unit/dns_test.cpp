#include <doctest/doctest.h>

#include "support/dns_world.hpp"

#include <chrono>
#include <string>
#include <vector>

using gw_test::DnsServer, gw_test::DnsWorld, gw_test::Told;
using Mood = DnsServer::Mood;
using namespace std::chrono_literals;

TEST_CASE("dns: a name stands for its IPv4 and IPv6 addresses, in order") {
  DnsWorld world;
  world.server.set("both", DnsServer::a, {"192.0.2.2", "192.0.2.1"});
  world.server.set("both", DnsServer::aaaa, {"2001:db8::1"});
  world.server.set("four", DnsServer::a, {"192.0.2.1", "192.0.2.1"});
  world.server.set("six", DnsServer::aaaa, {"2001:db8::1"});
  world.server.set("alias", DnsServer::cname, {"both"});
  world.server.set("nowhere", DnsServer::cname, {"unknown"});
  world.server.set("text", DnsServer::srv, {"0 0 80 both"});
  const struct {
    const char *name, *expected;
  } cases[] = {
      {"both", "192.0.2.1 192.0.2.2 2001:db8::1"},
      {"both.", "192.0.2.1 192.0.2.2 2001:db8::1"},
      {"four", "192.0.2.1"},
      {"six", "2001:db8::1"},
      {"alias", "192.0.2.1 192.0.2.2 2001:db8::1"},
      {"nowhere", "nothing"},
      {"unknown", "nothing"},
      {"text", "nothing"},
      {"a..b", "nothing"},
      {"", "nothing"},
      {"198.51.100.7", "198.51.100.7"},
      {"2001:db8::7", "2001:db8::7"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    CHECK(world.look_up(c.name) == c.expected);
  }
  CHECK(world.server.asked("198.51.100.7", DnsServer::a) == 0);
}

TEST_CASE("dns: the hosts file comes first, and knows localhost") {
  DnsWorld world;
  world.server.set("localhost", DnsServer::a, {"192.0.2.1"});
  for (const char* name : {"localhost", "localhost.", "foobar.localhost"}) {
    CAPTURE(name);
    CHECK(world.look_up(name).starts_with("127.0.0.1"));
  }
  CHECK(world.server.names().empty());
}

TEST_CASE("dns: IPv6 addresses without a route are left out, unless there are no others") {
  DnsWorld world;
  world.server.set("both", DnsServer::a, {"192.0.2.1"});
  world.server.set("both", DnsServer::aaaa, {"2001:db8::1"});
  world.server.set("six", DnsServer::aaaa, {"2001:db8::1"});
  world.has_route = false;
  CHECK(world.look_up("both") == "192.0.2.1");
  CHECK(world.look_up("six") == "2001:db8::1");
}

TEST_CASE("dns: a reply that is too long for UDP is fetched by TCP") {
  DnsWorld world;
  std::vector<std::string> addresses;
  for (int i = 10; i < 90; ++i) addresses.push_back("192.0.2." + std::to_string(i));
  world.server.set("long", DnsServer::a, addresses);
  world.server.mood("long", DnsServer::a, Mood::truncated);
  const std::string answer = world.look_up("long");
  CHECK(answer.starts_with("192.0.2.10 192.0.2.11 "));
  CHECK(answer.ends_with(" 192.0.2.89"));
}

TEST_CASE("dns: a lost packet is sent again") {
  DnsWorld world;
  world.timeout = 20ms;
  world.server.set("a", DnsServer::a, {"192.0.2.1"});
  world.server.mood(Mood::silent);
  Told told;
  const auto watch = world.watch("a", told);
  // The clock stands still, so this is the same look-up.
  world.server.wait_until_asked("a", DnsServer::a, 2);
  world.server.mood(Mood::well);
  // A slow machine may have used up all tries.
  for (std::size_t times = 1; told.wait(times) == "nothing"; ++times) world.turn_clock(30s);
  CHECK(told.times() <= 2);
}

TEST_CASE("dns: a name is asked for again when the smallest time to live is over") {
  const struct {
    std::uint32_t a, aaaa, cname;  // 0: no such record
    std::chrono::milliseconds expected;
  } cases[] = {
      {60, 0, 0, 60s}, {60, 7, 0, 7s}, {7, 60, 0, 7s}, {60, 60, 3, 3s}, {3600, 3600, 0, 300s}, {86400, 0, 0, 300s},
  };
  for (const auto& c : cases) {
    CAPTURE(c.a);
    CAPTURE(c.aaaa);
    CAPTURE(c.cname);
    DnsWorld world;
    const std::string owner = c.cname ? "other" : "a";
    if (c.cname) world.server.set("a", DnsServer::cname, {owner}, c.cname);
    world.server.set(owner, DnsServer::a, {"192.0.2.1"}, c.a);
    if (c.aaaa) world.server.set(owner, DnsServer::aaaa, {"2001:db8::1"}, c.aaaa);
    Told told;
    const auto watch = world.watch("a", told);
    told.wait(1);
    world.turn_clock(c.expected - 1ms);
    world.settle();
    CHECK(world.server.asked("a", DnsServer::a) == 1);
    world.turn_clock(1ms);
    world.settle();
    CHECK(world.server.asked("a", DnsServer::a) == 2);
    CHECK(told.times() == 1);
  }
}

TEST_CASE("dns: no time to live counts as one second") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 0);
  Told told;
  const auto watch = world.watch("a", told);
  told.wait(1);
  world.turn_clock(999ms);
  world.settle();
  CHECK(world.server.asked("a", DnsServer::a) == 1);
  world.turn_clock(1ms);
  world.settle();
  CHECK(world.server.asked("a", DnsServer::a) == 2);
}

TEST_CASE("dns: the real clock makes it ask again, too") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 0);
  auto options = world.options();
  options.now = std::chrono::steady_clock::now;
  gw::net::Dns dns(options);
  Told told;
  const auto watch = dns.watch({"a"}, told.changed());
  CHECK(told.wait(1) == "192.0.2.1");
  world.server.set("a", DnsServer::a, {"192.0.2.2"}, 0);
  CHECK(told.wait(2) == "192.0.2.2");
}

TEST_CASE("dns: an answer is told when it differs, and only then") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1", "192.0.2.2"}, 1);
  Told told;
  const auto watch = world.watch("a", told);
  CHECK(told.wait(1) == "192.0.2.1 192.0.2.2");
  world.server.set("a", DnsServer::a, {"192.0.2.2", "192.0.2.1"}, 1);
  world.turn_clock(1s);
  world.settle();
  CHECK(told.times() == 1);
  world.server.set("a", DnsServer::a, {"192.0.2.3"}, 1);
  world.turn_clock(1s);
  CHECK(told.wait(2) == "192.0.2.3");
}

TEST_CASE("dns: a look-up that fails leaves the old answer in use") {
  const struct {
    const char* what;
    void (*break_it)(DnsServer&);
  } cases[] = {
      {"SERVFAIL", [](DnsServer& s) { s.mood("a", DnsServer::a, Mood::servfail); }},
      {"REFUSED", [](DnsServer& s) { s.mood("a", DnsServer::a, Mood::refused); }},
      {"a malformed reply", [](DnsServer& s) { s.mood("a", DnsServer::a, Mood::garbage); }},
      {"NXDOMAIN", [](DnsServer& s) { s.remove("a"); }},
      {"no data", [](DnsServer& s) { s.set("a", DnsServer::a, {}); }},
      {"silence", [](DnsServer& s) { s.mood("a", DnsServer::a, Mood::silent); }},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    DnsWorld world;
    world.timeout = 10ms;
    world.server.set("a", DnsServer::a, {"192.0.2.1"}, 5);
    Told told;
    const auto watch = world.watch("a", told);
    // On a slow machine the first tries may be over too soon.
    std::size_t times = 1;
    for (std::string first = told.wait(1); first == "nothing"; first = told.wait(++times)) world.turn_clock(30s);

    c.break_it(world.server);
    const int before = world.server.asked("a", DnsServer::a);
    world.turn_clock(5s);
    world.server.wait_until_asked("a", DnsServer::a, before + 1);
    // Whoever comes now gets the old answer, too.
    CHECK(world.look_up("a") == "192.0.2.1");

    world.server.mood("a", DnsServer::a, Mood::well);
    world.server.set("a", DnsServer::a, {"192.0.2.2"}, 5);
    // The failed look-up ends, and the next one finds the new address.
    while (told.times() == times) world.turn_clock(1s), world.settle();
    CHECK(told.wait(times + 1) == "192.0.2.2");
  }
}

TEST_CASE("dns: failed look-ups are repeated after 1 s, then twice as long every time up to 30 s, until one succeeds") {
  DnsWorld world;
  Told told;
  const auto watch = world.watch("a", told);
  CHECK(told.wait(1) == "nothing");
  int asked = 1;
  const auto check_rest = [&](std::chrono::seconds rest) {
    CAPTURE(rest.count());
    world.turn_clock(rest - 1ms);
    world.settle();
    CHECK(world.server.asked("a", DnsServer::a) == asked);
    world.turn_clock(1ms);
    world.settle();
    CHECK(world.server.asked("a", DnsServer::a) == ++asked);
  };
  for (const auto rest : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) check_rest(rest);
  CHECK(told.times() == 1);

  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 100);
  check_rest(30s);
  CHECK(told.wait(2) == "192.0.2.1");
  world.server.remove("a");
  check_rest(100s);
  for (const auto rest : {1s, 2s}) check_rest(rest);
  CHECK(told.times() == 2);
}

TEST_CASE("dns: one family that fails costs neither the other one nor its own old addresses") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 100);
  world.server.set("a", DnsServer::aaaa, {"2001:db8::1"}, 100);
  world.server.mood("a", DnsServer::aaaa, Mood::servfail);
  Told told;
  const auto watch = world.watch("a", told);
  CHECK(told.wait(1) == "192.0.2.1");
  // What is missing is tried again soon.
  world.server.mood("a", DnsServer::aaaa, Mood::well);
  world.turn_clock(1s);
  CHECK(told.wait(2) == "192.0.2.1 2001:db8::1");

  world.server.mood("a", DnsServer::aaaa, Mood::servfail);
  world.server.set("a", DnsServer::a, {"192.0.2.2"}, 100);
  world.turn_clock(100s);
  CHECK(told.wait(3) == "192.0.2.2 2001:db8::1");

  // But one that has no addresses any more has none, as long as the name has others.
  world.server.mood("a", DnsServer::aaaa, Mood::well);
  world.server.set("a", DnsServer::aaaa, {});
  world.turn_clock(1s);
  CHECK(told.wait(4) == "192.0.2.2");
}
