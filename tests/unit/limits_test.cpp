#include <doctest/doctest.h>

#include "support/proxy_scripts.hpp"

#include <map>
#include <string>
#include <string_view>

using namespace gw_test;
using namespace std::chrono_literals;
using gw::proxy::Limit;

namespace {

constexpr std::size_t whole = MemoryTransport::whole;

/// The limits that clients ran into, and how often.
std::map<std::string_view, std::uint64_t> reached(const World& world) {
  std::map<std::string_view, std::uint64_t> all;
  for (std::size_t i = 0; i < gw::proxy::limit_names.size(); ++i)
    if (const std::uint64_t count = world.worker.counters.limits[i].value()) all[gw::proxy::limit_names[i]] = count;
  return all;
}

/// Whether one client was found too slow; as by `rate` unless this machine paused for so long that it looks like a `pause` of the client.
bool slow(const World& world, std::string_view rate, std::string_view pause) {
  const auto all = reached(world);
  return all.size() == 1 && all.begin()->second == 1 && (all.begin()->first == rate || all.begin()->first == pause);
}

std::string chunked(std::string_view body) { return "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body); }

}  // namespace

TEST_CASE("limits: each is enforced with its status and counted once, by its name") {
  const struct {
    const char* limit;
    std::string request;
    int status;
  } cases[] = {
      {"limits.head", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1100, 'x') + "\r\n\r\n", 431},
      {"limits.fields", "GET / HTTP/1.1\r\nHost: a\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n\r\n", 431},
      {"limits.target", "GET /" + std::string(100, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"limits.body", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 51\r\n\r\n" + std::string(51, 'x'), 413},
      {"limits.body", chunked("33\r\n" + std::string(51, 'x') + "\r\n0\r\n\r\n"), 413},
      {"limits.trailers", chunked("0\r\nX: 67890123456789012345678901\r\n\r\n"), 431},
      {"limits.fields", chunked("0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n"), 431},
      {"limits.chunk_extensions", chunked("1;a=12345678\r\nx\r\n0\r\n\r\n"), 400},
      {"", chunked("1;a=1234\r\nx\r\n0;a\r\nX: 1\r\n\r\n"), 200},
  };
  for (const auto& c : cases) {
    for (const std::size_t fragment : {std::size_t{1}, std::size_t{7}, whole}) {
      CAPTURE(c.request);
      CAPTURE(fragment);
      World world([](gw::Config& config) {
        add_script_routes(config);
        gw::Limits& l = config.limits;
        l.head = 1024, l.fields = 4, l.target = 100, l.body = 50, l.trailers = 30, l.chunk_extensions = 8;
      });
      const auto client = world.client(fragment);
      client->receive(c.request);
      client->receive_end();
      world.run();
      const std::vector<Message> got = read_responses(client->written());
      REQUIRE(got.size() == 1);
      CHECK(got[0].status == c.status);
      if (c.status != 200) CHECK(got[0].headers["connection"] == "close");
      std::map<std::string_view, std::uint64_t> expected;
      if (*c.limit) expected[c.limit] = 1;
      CHECK(reached(world) == expected);
    }
  }
}

TEST_CASE("limits.requests_per_connection: the last request is told so, and what is behind it is not answered") {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, std::size_t{20}}) {
    for (const std::size_t fragment : {std::size_t{5}, whole}) {
      CAPTURE(limit);
      CAPTURE(fragment);
      World world([&](gw::Config& config) {
        add_script_routes(config);
        config.limits.requests_per_connection = limit;
      });
      const auto client = world.client(fragment);
      std::string all;
      for (std::size_t i = 0; i < limit + 2; ++i) all += i % 2 ? "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n";
      client->receive(all);
      client->on_write = [&](std::string_view written) {
        if (written.find("onnection: close") != written.npos) client->receive_end();
      };
      world.run();
      const std::vector<Message> got = read_responses(client->written());
      REQUIRE(got.size() == limit);
      for (std::size_t i = 0; i < limit; ++i) {
        CHECK(got[i].status == 200);
        CHECK(got[i].headers["connection"] == (i + 1 == limit ? "close" : ""));
      }
      CHECK(reached(world) == std::map<std::string_view, std::uint64_t>{{"limits.requests_per_connection", 1}});
    }
  }
}

TEST_CASE("limits.requests_per_connection: 0 is no limit") {
  World world([](gw::Config& config) {
    add_script_routes(config);
    config.limits.requests_per_connection = 0;
  });
  const auto client = world.client();
  std::string all;
  for (int i = 0; i < 100; ++i) all += "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
  client->receive(all);
  client->receive_end();
  world.run();
  CHECK(read_responses(client->written()).size() == 100);
  CHECK(reached(world).empty());
}

TEST_CASE("limits.body_rate: a body that comes byte by byte is cut, though no pause is long") {
  World world([](gw::Config& config) {
    add_script_routes(config);
    config.timeouts.client_body = 300ms;
  });
  const auto client = world.client();
  client->receive("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n");
  // A byte at each tick of the wheel, until there is an answer.
  gw::net::Wheel::Deadline* again = nullptr;
  int sent = 0;
  struct Tick {
    World& world;
    MemoryTransport& client;
    gw::net::Wheel::Deadline*& again;
    int& sent;
  } tick{world, *client, again, sent};
  gw::net::Wheel::Deadline deadline(
      [](void* t) {
        Tick& self = *static_cast<Tick*>(t);
        if (!self.client.written().empty() || ++self.sent > 800) return self.client.receive_end();
        self.client.receive("x");
        self.world.worker.wheel.arm(*self.again, 1ms);
      },
      &tick);
  again = &deadline;
  world.worker.wheel.arm(deadline, 1ms);
  world.run();
  const std::vector<Message> got = read_responses(client->written());
  REQUIRE(got.size() == 1);
  CHECK(got[0].status == 408);
  CHECK(sent < 800);
  CHECK(slow(world, "limits.body_rate", "timeouts.client_body"));
}

TEST_CASE("limits.write_rate: a response that is taken byte by byte is cut, and a route may allow it") {
  for (const bool is_allowed : {false, true}) {
    CAPTURE(is_allowed);
    World world([&](gw::Config& config) {
      add_script_routes(config);
      config.timeouts.client_write = is_allowed ? 500ms : 20ms;
      // The client takes a byte in a turn of the event loop. That takes longer than the nanosecond that a byte is worth.
      config.limits.write_rate = 1'000'000'000;
      if (!is_allowed) return;
      for (gw::RouteConfig& route : config.routes) route.limits.write_rate = 0;
    });
    const auto upstream = world.upstream();
    const std::string text(400'000, 'x');
    upstream->responses = {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text};
    const auto client = world.client(whole, 1);
    // It stays to the end: a client that has finished would be taken for gone.
    client->on_write = [&](std::string_view written) {
      if (written.size() == text.size()) client->receive_end();
    };
    client->receive("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    world.run();
    const std::vector<Message> got = read_responses(client->written());
    REQUIRE(got.size() == 1);
    CHECK(got[0].is_complete == is_allowed);
    CHECK(client->was_reset() == !is_allowed);
    if (is_allowed) CHECK(reached(world).empty());
    else CHECK(slow(world, "limits.write_rate", "timeouts.client_write"));
  }
}

TEST_CASE("timeouts: which of them ended a connection is counted") {
  const struct {
    const char* limit;
    std::function<void(gw::Config&)> edit;
    std::string request;
    int status;
  } cases[] = {
      {"timeouts.client_header", [](gw::Config& c) { c.timeouts.client_header = 100ms; }, "GET / HTT", 408},
      {"timeouts.client_header", [](gw::Config& c) { c.timeouts.client_header = 100ms; }, "", 0},
      {"timeouts.client_idle", [](gw::Config& c) { c.timeouts.client_idle = 100ms; }, "", 0},
      {"timeouts.client_idle", [](gw::Config& c) { c.timeouts.client_idle = 100ms; }, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200},
      {"timeouts.client_body", [](gw::Config& c) { c.timeouts.client_body = 100ms; }, chunked("5\r\nhell"), 408},
      {"timeouts.client_body", [](gw::Config& c) { c.timeouts.client_body = 100ms, c.limits.body_rate = 0; }, chunked("5\r\nhell"), 408},
  };
  for (const auto& c : cases) {
    CAPTURE(c.limit);
    CAPTURE(c.request);
    World world([&](gw::Config& config) {
      add_script_routes(config);
      c.edit(config);
    });
    const auto client = world.client();
    client->receive(c.request);
    if (c.status == 408) {
      client->on_write = [&](std::string_view) { client->receive_end(); };
    }
    world.run();
    const std::vector<Message> got = read_responses(client->written());
    REQUIRE(got.size() == (c.status ? 1 : 0));
    if (c.status) CHECK(got[0].status == c.status);
    CHECK(reached(world) == std::map<std::string_view, std::uint64_t>{{c.limit, 1}});
  }
}

TEST_CASE("timeouts.client_write: a client that takes nothing is cut, and counted") {
  World world([](gw::Config& config) { config.timeouts.client_write = 100ms; });
  const auto upstream = world.upstream();
  upstream->responses = {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x')};
  const auto client = world.client();
  client->stop_taking();
  client->receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  world.run();
  CHECK(reached(world) == std::map<std::string_view, std::uint64_t>{{"timeouts.client_write", 1}});
}
