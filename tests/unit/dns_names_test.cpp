#include <doctest/doctest.h>

#include "support/dns_world.hpp"

#include <gw/error.hpp>

#include <chrono>
#include <string>
#include <vector>

using gw_test::DnsServer, gw_test::DnsWorld, gw_test::Told;
using Mood = DnsServer::Mood;
using namespace std::chrono_literals;

TEST_CASE("dns: names are completed as resolv.conf says") {
  const std::string search = "search one.test two.test\n";
  const struct {
    std::string resolv_conf;
    const char* name;
    std::vector<std::string> expected;
  } cases[] = {
      {search, "users", {"users.one.test", "users.two.test", "users"}},
      {search, "users.", {"users"}},
      {search, "users.internal", {"users.internal", "users.internal.one.test", "users.internal.two.test"}},
      {search, "users.internal.", {"users.internal"}},
      {search + "options ndots:2\n", "users.internal", {"users.internal.one.test", "users.internal.two.test", "users.internal"}},
      {search + "options ndots:2\n", "users.internal.", {"users.internal"}},
      {search + "options ndots:2\n", "a.users.internal", {"a.users.internal", "a.users.internal.one.test", "a.users.internal.two.test"}},
      {"search .\n", "users", {"users"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.resolv_conf);
    CAPTURE(c.name);
    for (const bool is_srv : {false, true}) {
      DnsWorld world(c.resolv_conf);
      CHECK(world.look_up(c.name, is_srv) == "nothing");
      CHECK(world.server.names() == c.expected);
    }
  }
}

TEST_CASE("dns: the search for a name ends where it exists, and where nobody can tell") {
  const struct {
    const char* what;
    void (*prepare)(DnsServer&);
    const char* expected;
  } cases[] = {
      {"IPv4", [](DnsServer& s) { s.set("users.one.test", DnsServer::a, {"192.0.2.1"}); }, "192.0.2.1"},
      {"IPv6", [](DnsServer& s) { s.set("users.one.test", DnsServer::aaaa, {"2001:db8::1"}); }, "2001:db8::1"},
      {"SERVFAIL", [](DnsServer& s) { s.mood("users.one.test", DnsServer::a, Mood::servfail); }, "nothing"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    DnsWorld world("search one.test two.test\n");
    world.server.set("users.two.test", DnsServer::a, {"192.0.2.2"});
    world.server.set("users.two.test", DnsServer::aaaa, {"2001:db8::2"});
    c.prepare(world.server);
    CHECK(world.look_up("users") == c.expected);
    CHECK(world.server.names() == std::vector<std::string>{"users.one.test"});
  }
}

TEST_CASE("dns: resolv.conf is read again when it has changed") {
  DnsWorld world("search one.test\n");
  world.server.set("users.one.test", DnsServer::a, {"192.0.2.1"}, 1);
  world.server.set("users.another.test", DnsServer::a, {"192.0.2.2"}, 1);
  Told told;
  const auto watch = world.watch("users", told);
  CHECK(told.wait(1) == "192.0.2.1");
  world.write_resolv_conf("search another.test\n");
  world.turn_clock(1s);
  CHECK(told.wait(2) == "192.0.2.2");
}

TEST_CASE("dns: what is under way when resolv.conf changes is tried again") {
  DnsWorld world("search one.test\n");
  world.server.set("users.another.test", DnsServer::a, {"192.0.2.2"}, 1);
  world.server.mood("users.one.test", DnsServer::a, Mood::silent);
  Told told;
  const auto watch = world.watch("users", told);
  world.server.wait_until_asked("users.one.test", DnsServer::a, 1);
  world.write_resolv_conf("search another.test\n");
  world.settle();
  CHECK(told.wait(1) == "nothing");
  world.turn_clock(1s);
  CHECK(told.wait(2) == "192.0.2.2");
}

TEST_CASE("dns: servers that are no addresses are a mistake") {
  for (const std::string server : {"localhost", "192.0.2.1:x", "192.0.2.1:0", "192.0.2.1,192.0.2.2", "300.1.1.1", "[::1", ""}) {
    CAPTURE(server);
    const std::string problem = "not the address of a DNS server: " + server;
    CHECK_THROWS_WITH_AS(gw::net::Dns({.servers = {"192.0.2.1", server}}), problem.c_str(), gw::ConfigError);
  }
  gw::net::Dns dns({.servers = {"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"}});
}

TEST_CASE("dns: a service is the targets of the lowest priority that have addresses") {
  const struct {
    const char* what;
    std::vector<std::string> records;
    const char* expected;
  } cases[] = {
      {"one", {"0 1 8080 one.test"}, "192.0.2.1:8080"},
      {"weights", {"0 30 8080 one.test", "0 70 8080 two.test"}, "192.0.2.1:8080*30 192.0.2.2:8080*70"},
      {"a weight of 0 is 1", {"0 0 80 one.test", "0 5 80 two.test"}, "192.0.2.1:80 192.0.2.2:80*5"},
      {"priorities", {"2 1 80 one.test", "1 1 80 two.test", "3 1 80 both.test"}, "192.0.2.2:80"},
      {"the lowest has no addresses", {"1 1 80 unknown.test", "2 1 80 two.test"}, "192.0.2.2:80"},
      {"one of the lowest has none", {"1 1 80 unknown.test", "1 1 80 one.test", "2 1 80 two.test"}, "192.0.2.1:80"},
      {"a target with two addresses", {"0 9 80 both.test"}, "192.0.2.3:80*9 [2001:db8::3]:80*9"},
      {"one target, two ports", {"0 1 81 one.test", "0 2 80 one.test"}, "192.0.2.1:80*2 192.0.2.1:81"},
      {"two names of one address", {"0 3 80 one.test", "0 4 80 alias.test"}, "192.0.2.1:80*7"},
      {"weights that are too much together", {"0 65535 80 one.test", "0 9 80 alias.test"}, "192.0.2.1:80*65535"},
      {"not available", {"0 0 0 ."}, "empty"},
      {"no targets that have addresses", {"0 1 80 unknown.test"}, "nothing"},
      {"no records", {}, "nothing"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    DnsWorld world;
    world.server.set("one.test", DnsServer::a, {"192.0.2.1"});
    world.server.set("alias.test", DnsServer::cname, {"one.test"});
    world.server.set("two.test", DnsServer::a, {"192.0.2.2"});
    world.server.set("both.test", DnsServer::a, {"192.0.2.3"});
    world.server.set("both.test", DnsServer::aaaa, {"2001:db8::3"});
    world.server.set("_http._tcp.test", DnsServer::srv, c.records);
    CHECK(world.look_up("_http._tcp.test", true) == c.expected);
  }
}

TEST_CASE("dns: targets of a service are absolute") {
  DnsWorld world("search one.test\n");
  world.server.set("_http._tcp.test", DnsServer::srv, {"0 1 80 users"});
  world.server.set("users.one.test", DnsServer::a, {"192.0.2.1"});
  CHECK(world.look_up("_http._tcp.test", true) == "nothing");
  CHECK(world.server.names() == std::vector<std::string>{"_http._tcp.test", "users"});
}

TEST_CASE("dns: a service is looked up again when the smallest time to live of it and its targets is over") {
  const struct {
    std::uint32_t srv, a;
  } cases[] = {{5, 60}, {60, 5}};
  for (const auto& c : cases) {
    CAPTURE(c.srv);
    DnsWorld world;
    world.server.set("_http._tcp.test", DnsServer::srv, {"0 1 80 one.test"}, c.srv);
    world.server.set("one.test", DnsServer::a, {"192.0.2.1"}, c.a);
    Told told;
    const auto watch = world.watch("_http._tcp.test", told, true);
    told.wait(1);
    world.turn_clock(5s - 1ms);
    world.settle();
    CHECK(world.server.asked("_http._tcp.test", DnsServer::srv) == 1);
    world.turn_clock(1ms);
    world.settle();
    CHECK(world.server.asked("_http._tcp.test", DnsServer::srv) == 2);
  }
}

TEST_CASE("dns: what fails of a service leaves the rest of it in use") {
  DnsWorld world;
  const std::string service = "_http._tcp.test";
  world.server.set(service, DnsServer::srv, {"0 1 80 one.test", "0 1 80 two.test"}, 10);
  world.server.set("one.test", DnsServer::a, {"192.0.2.1"}, 10);
  world.server.set("two.test", DnsServer::a, {"192.0.2.2"}, 10);
  Told told;
  const auto watch = world.watch(service, told, true);
  CHECK(told.wait(1) == "192.0.2.1:80 192.0.2.2:80");

  // A target that cannot be found keeps its addresses while others change.
  world.server.mood("one.test", DnsServer::a, Mood::servfail);
  world.server.set("two.test", DnsServer::a, {"192.0.2.22"}, 10);
  world.turn_clock(10s);
  CHECK(told.wait(2) == "192.0.2.1:80 192.0.2.22:80");

  // A service that cannot be found keeps everything.
  world.server.remove(service);
  world.turn_clock(1s);
  world.settle();
  CHECK(told.times() == 2);

  // A target that is no longer named is gone.
  world.server.set(service, DnsServer::srv, {"0 1 80 two.test"}, 10);
  world.turn_clock(2s);
  CHECK(told.wait(3) == "192.0.2.22:80");

  // That there is no such service is an answer.
  world.server.set(service, DnsServer::srv, {"0 0 0 ."}, 10);
  world.turn_clock(10s);
  CHECK(told.wait(4) == "empty");
  world.server.set(service, DnsServer::srv, {"0 1 80 two.test"}, 10);
  world.turn_clock(10s);
  CHECK(told.wait(5) == "192.0.2.22:80");
}
