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
