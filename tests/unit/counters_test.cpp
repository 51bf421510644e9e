#include <doctest/doctest.h>

#include "proxy/counters.hpp"
#include "proxy/metrics.hpp"
#include "support/memory_world.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace gw::proxy;
using namespace gw_test;
using namespace std::chrono_literals;
using gw::Error;

namespace {

std::map<std::uint32_t, std::uint64_t> counts_of(const Tally& tally) {
  std::map<std::uint32_t, std::uint64_t> counts;
  tally.each([&](std::uint32_t key, std::uint64_t count) { CHECK(counts.emplace(key, count).second); });
  return counts;
}

}  // namespace

TEST_CASE("counters: a tally counts each number apart, however many there are") {
  Tally tally;
  CHECK(counts_of(tally).empty());
  std::map<std::uint32_t, std::uint64_t> expected;
  for (std::uint32_t round = 1; round <= 3; ++round)
    for (std::uint32_t key = 0; key < 600; key += round) {
      tally.add(key);
      ++expected[key];
    }
  CHECK(counts_of(tally) == expected);
}

TEST_CASE("counters: a histogram puts a time into the first bucket whose bound it does not pass") {
  const auto bucket_of = [](std::chrono::nanoseconds time) {
    Histogram histogram;
    histogram.add(time);
    std::size_t bucket = 99;
    for (std::size_t i = 0; i <= Histogram::bounds.size(); ++i)
      if (histogram.count(i) == 1) bucket = i;
    return bucket;
  };
  CHECK(bucket_of(0ns) == 0);
  CHECK(bucket_of(-5ns) == 0);
  CHECK(bucket_of(500us) == 0);
  CHECK(bucket_of(500us + 1ns) == 1);
  for (std::size_t i = 0; i < Histogram::bounds.size(); ++i) {
    CHECK(bucket_of(Histogram::bounds[i]) == i);
    CHECK(bucket_of(Histogram::bounds[i] + 1ns) == i + 1);
    if (i > 0) CHECK(Histogram::bounds[i] > Histogram::bounds[i - 1]);
  }
  CHECK(bucket_of(24h) == Histogram::bounds.size());

  Histogram histogram;
  histogram.add(1ms);
  histogram.add(2s);
  histogram.add(-1s);
  CHECK(histogram.sum() == 2'001'000'000);
}

TEST_CASE("counters: workers count at once while others read, and nothing is lost") {
  constexpr std::size_t workers = 4;
  constexpr std::uint64_t rounds = 20'000;
  Sharded<RouteCounters> route("r", workers);
  std::atomic<bool> is_over{false};
  std::thread reader([&] {
    std::uint64_t last = 0;
    while (!is_over) {
      std::uint64_t now = 0;
      route.each([&](const RouteCounters& c) {
        c.statuses.each([&](std::uint32_t, std::uint64_t count) { now += count; });
      });
      CHECK(now >= last);
      last = now;
    }
  });
  std::vector<std::thread> threads;
  for (std::size_t w = 0; w < workers; ++w)
    threads.emplace_back([&route, w] {
      for (std::uint64_t i = 0; i < rounds; ++i) {
        RouteCounters& mine = route.of(w);
        mine.statuses.add(static_cast<std::uint32_t>(200 + i % 20));
        mine.durations.add(std::chrono::milliseconds(i % 50));
        mine.bytes_sent.add(3);
      }
    });
  for (std::thread& t : threads) t.join();
  is_over = true;
  reader.join();

  std::map<std::uint32_t, std::uint64_t> statuses;
  std::uint64_t bytes = 0, timed = 0;
  route.each([&](const RouteCounters& c) {
    for (const auto& [status, count] : counts_of(c.statuses)) statuses[status] += count;
    for (std::size_t i = 0; i <= Histogram::bounds.size(); ++i) timed += c.durations.count(i);
    bytes += c.bytes_sent.value();
  });
  CHECK(statuses.size() == 20);
  for (const auto& [status, count] : statuses) CHECK(count == workers * rounds / 20);
  CHECK(timed == workers * rounds);
  CHECK(bytes == 3 * workers * rounds);
}

TEST_CASE("counters: a name keeps its counters as long as somebody uses them") {
  Metrics metrics;
  metrics.set_workers(2);
  auto first = metrics.route("users");
  first->of(1).bytes_sent.add(7);
  CHECK(metrics.route("users") == first);
  CHECK(metrics.route("orders") != first);
  CHECK(metrics.view().routes.size() == 1);  // nobody kept "orders"
  const RouteMetrics* const before = first.get();
  auto second = metrics.route("users");
  first.reset();
  CHECK(second.get() == before);
  second.reset();
  CHECK(metrics.view().routes.empty());
  CHECK(metrics.route("users")->of(1).bytes_sent.value() == 0);
}

TEST_CASE("counters: those of a route are made when it counts first, and stay as long as the route is configured") {
  Metrics metrics;
  metrics.set_workers(2);
  const std::string users = "users", orders = "orders";
  metrics.set_routes({users, orders});
  auto before = std::make_unique<HeldCounters>(metrics);
  HeldCounters after(metrics);
  const RouteMeter meter_before, meter_after;
  CHECK(metrics.view().routes.empty());
  RouteMetrics* const counters = meter_before.get(*before, users);
  counters->of(1).bytes_sent.add(7);
  CHECK(meter_before.get(*before, users) == counters);
  // The configuration changes, and what counted ends, before the new route has counted.
  metrics.set_routes({users});
  before.reset();
  REQUIRE(metrics.view().routes.size() == 1);
  CHECK(meter_after.get(after, users) == counters);
  CHECK(meter_after.get(after, users)->of(1).bytes_sent.value() == 7);
}

TEST_CASE("counters: workers that begin to count for a route at the same time count with the same") {
  constexpr std::size_t workers = 4, routes = 500;
  Metrics metrics;
  metrics.set_workers(workers);
  HeldCounters held(metrics);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < routes; ++i) names.push_back("route " + std::to_string(i));
  const std::vector<RouteMeter> meters(routes);
  std::vector<std::thread> threads;
  for (std::size_t w = 0; w < workers; ++w)
    threads.emplace_back([&, w] {
      for (std::size_t i = 0; i < routes; ++i) meters[i].get(held, names[i])->of(w).bytes_sent.add(w + 1);
    });
  for (std::thread& t : threads) t.join();
  const auto view = metrics.view();
  REQUIRE(view.routes.size() == routes);
  for (const auto& route : view.routes) {
    std::uint64_t sum = 0;
    route->each([&](const auto& counters) { sum += counters.bytes_sent.value(); });
    CHECK(sum == 1 + 2 + 3 + 4);
  }
}

TEST_CASE("counters: those of a route that is configured no longer end with the last that counts") {
  Metrics metrics;
  const std::string users = "users";
  auto held = std::make_unique<HeldCounters>(metrics);
  RouteMeter().get(*held, users)->of(0).bytes_sent.add(7);
  metrics.set_routes({"orders"});
  CHECK(metrics.view().routes.size() == 1);
  held.reset();
  CHECK(metrics.view().routes.empty());
  HeldCounters again(metrics);
  CHECK(RouteMeter().get(again, users)->of(0).bytes_sent.value() == 0);
}

TEST_CASE("counters: counters for fewer workers are replaced, those for more are kept") {
  Metrics metrics;
  const auto few = metrics.upstream("u");
  metrics.set_workers(4);
  const auto many = metrics.upstream("u");
  CHECK(many != few);
  CHECK(many->workers() == 4);
  metrics.set_workers(2);
  CHECK(metrics.upstream("u") == many);
  CHECK(&metrics.worker(3) == &metrics.worker(3));
  CHECK(metrics.view().gateway.size() == 4);
}

TEST_CASE("counters: a connection to an upstream counts as idle and open as long as it is") {
  Metrics metrics;
  const auto upstream = metrics.upstream("u");
  const UpstreamCounters& counters = upstream->of(0);
  const auto are = [&](std::uint64_t opened, std::int64_t open, std::int64_t idle) {
    CHECK(counters.opened.value() == opened);
    CHECK(counters.open.value() == open);
    CHECK(counters.idle.value() == idle);
  };
  {
    CountedConnection none;
    none.set_idle(true);
    CountedConnection one(upstream, 0);
    are(1, 1, 0);
    one.set_idle(true);
    one.set_idle(true);
    are(1, 1, 1);
    CountedConnection moved(std::move(one));
    are(1, 1, 1);
    moved.set_idle(false);
    are(1, 1, 0);
    CountedConnection two(upstream, 0);
    two.set_idle(true);
    none = std::move(two);
    are(2, 2, 1);
  }
  are(2, 0, 0);
}

TEST_CASE("counters: requests, refusals and calls are counted once, by what came of them") {
  World world;
  const auto upstream = world.upstream();
  upstream->responses = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"};
  const auto client = world.client();
  client->receive(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
  client->receive_end();
  world.run();

  const auto metrics = world.shared.metrics.view();
  REQUIRE(metrics.routes.size() == 2);  // the one of the configuration, and none
  for (const auto& route : metrics.routes) {
    route->each([&](const RouteCounters& c) {
      if (route->name.empty()) {
        CHECK(counts_of(c.statuses) == std::map<std::uint32_t, std::uint64_t>{{400, 1}});
        CHECK(counts_of(c.failures) == std::map<std::uint32_t, std::uint64_t>{{static_cast<std::uint32_t>(Error::bad_path), 1}});
      } else {
        CHECK(counts_of(c.statuses) == std::map<std::uint32_t, std::uint64_t>{{200, 1}, {404, 1}});
        CHECK(counts_of(c.failures).empty());
        CHECK(c.bytes_received.value() == 3);
        CHECK(c.bytes_sent.value() == 6);
      }
    });
  }
  CHECK(counts_of(world.worker.counters.refused) == std::map<std::uint32_t, std::uint64_t>{{static_cast<std::uint32_t>(Error::bad_host), 1}});
  CHECK(world.worker.counters.accepted.value() == 1);
  REQUIRE(metrics.upstreams.size() == 1);
  metrics.upstreams.front()->each([&](const UpstreamCounters& c) {
    CHECK(counts_of(c.statuses) == std::map<std::uint32_t, std::uint64_t>{{200, 1}, {404, 1}});
    CHECK(counts_of(c.failures).empty());
    CHECK(c.reused.value() == 2);
  });
}

TEST_CASE("counters: a connection that cannot be made is counted, and so is the call that needed it") {
  World world;
  const auto client = world.client();
  client->receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client->receive_end();
  world.run();
  const auto metrics = world.shared.metrics.view();
  REQUIRE(metrics.upstreams.size() == 1);
  const std::map<std::uint32_t, std::uint64_t> refused{{static_cast<std::uint32_t>(Error::connect_failed), 1}};
  metrics.upstreams.front()->each([&](const UpstreamCounters& c) {
    CHECK(counts_of(c.statuses).empty());
    CHECK(counts_of(c.failures) == refused);
    CHECK(counts_of(c.connect_failures) == refused);
    CHECK(c.opened.value() == 0);
    CHECK(c.open.value() == 0);
  });
}
