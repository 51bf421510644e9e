#include <doctest/doctest.h>

#include "support/http_client.hpp"
#include "support/service.hpp"

#include <gw/gw.hpp>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

using gw_test::HttpClient;
using gw_test::Service;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// How often each service answered `count` requests.
std::map<std::string, int> ask(HttpClient& client, int count) {
  std::map<std::string, int> answers;
  for (int i = 0; i < count; ++i) {
    client.send(get);
    ++answers[client.read_reply().body];
  }
  return answers;
}

}  // namespace

TEST_CASE("endpoints: they come, drain and go while the gateway runs") {
  Service one("one"), two("two");
  gw::Gateway app;
  app.config().workers = 1;
  const gw::Upstream up = app.upstream("up", {one.address()}, {.balance = gw::Balance::round_robin});
  app.prefix("/").forward(up);
  const auto server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  CHECK(ask(client, 4) == std::map<std::string, int>{{"one", 4}});

  app.set_endpoint(up, {two.address(), 3});
  CHECK(ask(client, 8) == std::map<std::string, int>{{"one", 2}, {"two", 6}});
  REQUIRE(app.endpoints(up).size() == 2);
  CHECK(app.endpoints(up)[1].address == two.address());
  CHECK(app.endpoints(up)[1].weight == 3);

  app.set_endpoint(up, {one.address(), 0});
  CHECK(ask(client, 4) == std::map<std::string, int>{{"two", 4}});
  app.set_endpoint(up, {one.address(), 1});
  app.remove_endpoint(up, two.address());
  CHECK(ask(client, 4) == std::map<std::string, int>{{"one", 4}});
  app.remove_endpoint(up, "127.0.0.1:1");  // never there

  app.reload();
  CHECK(ask(client, 4) == std::map<std::string, int>{{"one", 4}});
  app.remove_endpoint(up, one.address());
  client.send(get);
  CHECK(client.read_reply().status == 503);
}

TEST_CASE("endpoints: what is wrong is said, and changes nothing") {
  gw::Gateway app;
  const gw::Upstream up = app.upstream("up", {"127.0.0.1:1"});
  CHECK_THROWS_WITH_AS(app.set_endpoint(gw::Upstream("nobody"), {"127.0.0.1:1"}), doctest::Contains("no upstream is named \"nobody\""), gw::ConfigError);
  CHECK_THROWS_WITH_AS(app.endpoints(gw::Upstream("nobody")), doctest::Contains("nobody"), gw::ConfigError);
  CHECK_THROWS_WITH_AS(app.set_endpoint(up, {"300.0.0.1:1"}), doctest::Contains("upstreams.up.endpoints"), gw::ConfigError);
  CHECK_THROWS_WITH_AS(app.set_endpoint(up, {"127.0.0.1:2", 70'000}), doctest::Contains("weight"), gw::ConfigError);
  CHECK_THROWS_AS(app.remove_endpoint(up, "x:y:z"), gw::ConfigError);
  REQUIRE(app.endpoints(up).size() == 1);
  CHECK(app.endpoints(up)[0].address == "127.0.0.1:1");
}

TEST_CASE("endpoints: no request fails while they come and go, and workers choose among those that are there") {
  Service one("one"), two("two"), three("three");
  gw::Gateway app;
  app.config().workers = 2;
  const gw::Upstream up = app.upstream("up", {one.address(), two.address()});
  app.prefix("/").forward(up);
  const auto server = app.start("127.0.0.1:0");
  std::atomic<bool> is_over{false};
  std::atomic<int> good{0}, bad{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      HttpClient client(server.port());
      while (!is_over) {
        client.send(get);
        ++(client.read_reply().status == 200 ? good : bad);
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    app.set_endpoint(up, {three.address()});
    app.set_endpoint(up, {two.address(), 0});
    app.remove_endpoint(up, i % 2 == 0 ? one.address() : two.address());
    app.set_endpoint(up, {one.address()});
    app.set_endpoint(up, {two.address()});
    app.remove_endpoint(up, three.address());
    const int before = good;
    while (good < before + 10 && bad == 0) std::this_thread::yield();
  }
  is_over = true;
  for (std::thread& client : clients) client.join();
  CHECK(bad == 0);
  CHECK(good >= 1000);
}
