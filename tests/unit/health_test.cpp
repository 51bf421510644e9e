#include <doctest/doctest.h>

#include "proxy/breaker.hpp"
#include "proxy/health.hpp"
#include "proxy/retry_budget.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using gw::proxy::Breaker, gw::proxy::Health, gw::proxy::RetryBudget, gw::proxy::Sign;

namespace {

const Health::Time start{std::chrono::hours(1)};

/// Plays signs, one each 10 ms: g good, f failed, r refused. Ejects when there is reason to.
struct Endpoint {
  gw::EjectOptions options;
  Health health{};
  Health::Time now = start;
  std::uint64_t requests = 0;

  void play(const std::string& signs) {
    for (const char c : signs) {
      now += 10ms;
      ++requests;
      if (c == 'g') health.good(now);
      else if (health.bad(options, c == 'r' ? Sign::refused : Sign::failed, now, requests)) health.eject(options, now);
    }
  }
  char state() const { return "uot"[static_cast<int>(health.state(now))]; }
};

std::string repeated(std::size_t times, const std::string& text) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

}  // namespace

TEST_CASE("health: what requests see takes an endpoint out") {
  struct Case {
    const char* what;
    std::string signs;
    char state;
    gw::EjectOptions options = {};
  };
  const Case cases[] = {
      {"nothing is known", "", 'u'},
      {"good answers", "ggg", 'u'},
      {"a refused connection is enough", "gggr", 'o'},
      {"four failures in a row are not", "ffff", 'u'},
      {"five are", "fffff", 'o'},
      {"a good answer between them", "ffffgffff", 'u'},
      {"failures in a row do not count", "fffffffff", 'u', {.failures = 0, .error_rate = 0}},
      {"every second of few", repeated(9, "gf"), 'u'},
      {"every second of many", repeated(11, "gf"), 'o'},
      {"every third", repeated(20, "ggf"), 'u'},
      {"the rate does not count", repeated(20, "gf"), 'u', {.error_rate = 0}},
      {"answers of before do not end an outage", "rggg", 'o'},
      {"a stricter rate", repeated(10, "gggf"), 'o', {.error_rate = 25}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Endpoint endpoint{c.options};
    endpoint.play(c.signs);
    CHECK(endpoint.state() == c.state);
  }
}

TEST_CASE("health: failures of an old window do not count") {
  Endpoint endpoint{{.failures = 0, .requests = 4, .window = 100ms}};
  endpoint.play("fgg");
  endpoint.now += 100ms;
  endpoint.play("fggg");
  CHECK(endpoint.state() == 'u');
}

TEST_CASE("health: an outage ends with a trial, and lasts twice as long when that fails") {
  Endpoint endpoint{{.time = 5s, .longest = 15s}};
  endpoint.play("r");
  for (const auto lasts : {5s, 10s, 15s, 15s}) {
    CHECK(endpoint.state() == 'o');
    CHECK(endpoint.health.changes_at(endpoint.now) == endpoint.now + lasts);
    endpoint.now += lasts;
    CHECK(endpoint.state() == 't');
    CHECK(endpoint.health.changes_at(endpoint.now) == Health::Time::max());
    endpoint.play("f");
  }
  endpoint.now += 15s;
  endpoint.play("g");
  CHECK(endpoint.state() == 'u');
  CHECK(endpoint.health.up_since() == endpoint.now);
  endpoint.play("r");
  CHECK(endpoint.health.changes_at(endpoint.now) == endpoint.now + 5s);
}

TEST_CASE("health: checks") {
  struct Case {
    const char* what;
    std::string checks;  // + good, - bad
    std::string states;  // after each
    gw::CheckOptions options = {};
  };
  const Case cases[] = {
      {"the first one decides", "-", "o"},
      {"the first one decides for the good", "+-", "uu"},
      {"two bad ones in a row begin an outage", "+--", "uuo"},
      {"not in a row", "+-+-+", "uuuuu"},
      {"one good one ends it", "-+", "ou"},
      {"after an outage bad ones count anew", "-+-", "ouu"},
      {"thresholds", "+----+++", "uuuoooou", {.healthy = 3, .unhealthy = 3}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Endpoint endpoint;
    std::string states;
    for (const char check : c.checks) {
      endpoint.health.checked(c.options, check == '+', endpoint.now += 1s);
      states += endpoint.state();
    }
    CHECK(states == c.states);
  }
}

TEST_CASE("health: a good check ends what requests have begun, and a bad one outlasts it") {
  Endpoint endpoint;
  endpoint.health.checked({}, true, start);
  endpoint.play("r");
  CHECK(endpoint.state() == 'o');
  CHECK(endpoint.health.checked({}, true, endpoint.now));
  CHECK(endpoint.state() == 'u');
  endpoint.play("r");
  endpoint.health.checked({.unhealthy = 1}, false, endpoint.now);
  endpoint.now += 1h;
  CHECK(endpoint.state() == 'o');
  endpoint.health.forget_checks();
  CHECK(endpoint.state() == 't');
}

TEST_CASE("retry budget: retries under way are a share of the requests under way, and a floor") {
  struct Case {
    unsigned budget, floor;
    std::uint64_t active;
    int retries;
  };
  for (const Case& c : {Case{20, 3, 0, 3}, Case{20, 3, 10, 5}, Case{20, 3, 64, 15}, Case{20, 0, 4, 0}, Case{20, 0, 5, 1}, Case{0, 0, 1000, 0}, Case{100, 0, 7, 7}}) {
    CAPTURE(c.active);
    CAPTURE(c.floor);
    RetryBudget budget;
    gw::RetryOptions options;
    options.budget = c.budget;
    options.floor = c.floor;
    int retries = 0;
    while (retries < 100 && budget.begin(options, c.active, c.active, start)) ++retries;
    CHECK(retries == c.retries);
  }
}

TEST_CASE("retry budget: retries that end at once are a share of the requests made") {
  RetryBudget budget;
  const gw::RetryOptions options;
  std::uint64_t requests = 0, retries = 0;
  for (; requests < 10'000; ++requests) {
    if (!budget.begin(options, 64, requests, start)) continue;
    ++retries;
    budget.end();
  }
  CHECK(retries >= 2'000);
  CHECK(retries <= 2'000 + 23);  // what was saved up at first
}

TEST_CASE("retry budget: with few requests the floor comes back within a minute") {
  RetryBudget budget;
  gw::RetryOptions options;
  options.floor = 3;
  const auto count = [&](Health::Time now) {
    int retries = 0;
    while (budget.begin(options, 0, 3, now)) {
      ++retries;
      budget.end();
    }
    return retries;
  };
  CHECK(count(start) == 3);
  CHECK(count(start) == 0);
  CHECK(count(start + 24s) == 1);
  CHECK(count(start + 1h) == 3);
}

TEST_CASE("retry budget: a sum of requests that falls earns nothing") {
  RetryBudget budget;
  gw::RetryOptions options;
  options.floor = 3;
  const auto use_up = [&](std::uint64_t requests) {
    int retries = 0;
    while (budget.begin(options, 10, requests, start)) {
      ++retries;
      budget.end();
    }
    return retries;
  };
  CHECK(use_up(1000) == 5);
  CHECK(use_up(999) == 0);
  CHECK(use_up(1003) == 0);
  CHECK(use_up(1008) == 1);
}

TEST_CASE("breaker: opens by the rate, lets one request try, and closes or opens by that") {
  Breaker breaker;
  const gw::BreakerOptions options{.error_rate = 50, .requests = 4, .window = 10s, .open = 5s};
  const auto request = [&](Breaker::Ending how, Health::Time now) {
    const Breaker::Pass pass = breaker.enter(now);
    if (pass != Breaker::Pass::no) breaker.ended(options, pass, how, now);
    return pass != Breaker::Pass::no;
  };
  using enum Breaker::Ending;
  using enum Breaker::Pass;
  for (const auto how : {good, failed, good}) CHECK(request(how, start));
  CHECK(request(unknown, start));
  CHECK_FALSE(breaker.is_open());
  CHECK(request(failed, start));
  CHECK(breaker.is_open());
  CHECK(breaker.enter(start + 4999ms) == no);
  SUBCASE("the trial succeeds") {
    CHECK(breaker.enter(start + 5s) == trial);
    CHECK(breaker.enter(start + 5s) == no);
    breaker.ended(options, trial, good, start + 6s);
    CHECK(breaker.enter(start + 6s) == yes);
    CHECK(breaker.enter(start + 6s) == yes);
  }
  SUBCASE("the trial fails") {
    CHECK(breaker.enter(start + 5s) == trial);
    breaker.ended(options, trial, failed, start + 6s);
    CHECK(breaker.enter(start + 10s) == no);
    CHECK(breaker.enter(start + 11s) == trial);
  }
  SUBCASE("nobody waits for the trial") {
    CHECK(breaker.enter(start + 5s) == trial);
    breaker.ended(options, trial, unknown, start + 6s);
    CHECK(breaker.enter(start + 6s) == trial);
  }
  SUBCASE("what began before decides nothing") {
    CHECK(breaker.enter(start + 5s) == trial);
    breaker.ended(options, yes, good, start + 6s);
    CHECK(breaker.enter(start + 6s) == no);
    breaker.ended(options, yes, failed, start + 6s);
    breaker.ended(options, trial, good, start + 6s);
    CHECK(breaker.enter(start + 6s) == yes);
  }
  SUBCASE("failures of an old window do not count") {
    CHECK(request(good, start + 5s));
    for (const auto how : {failed, good, good}) CHECK(request(how, start + 20s));
    for (const auto how : {failed, good, good}) CHECK(request(how, start + 40s));
    CHECK_FALSE(breaker.is_open());
  }
}
