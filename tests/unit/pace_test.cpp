#include <doctest/doctest.h>

#include "proxy/pace.hpp"

using namespace std::chrono_literals;
using gw::Duration;
using gw::proxy::Pace;

namespace {

Pace::Clock::time_point time_now;
Pace::Clock::time_point now() { return time_now; }

/// Waits for `time`, or as long as is allowed if that is shorter; whether the peer was in time.
bool wait(Pace& pace, Duration pause, std::uint32_t rate, Duration time) {
  const Duration left = pace.wait(pause, rate, &now);
  if (left <= Duration(0) || left < time) return false;
  time_now += time;
  pace.resume(&now);
  return true;
}

}  // namespace

TEST_CASE("pace: without a rate every pause may take the whole time") {
  Pace pace;
  for (int i = 0; i < 100; ++i) {
    CHECK(pace.wait(3s, 0, &now) == 3s);
    time_now += 2900ms;
    pace.resume(&now);
    pace.moved(1);
  }
  CHECK(pace.has_stalled());
}

TEST_CASE("pace: a byte now and then does not buy another pause") {
  Pace pace;
  int waits = 0;
  while (wait(pace, 3s, 240, 100ms)) {
    ++waits;
    pace.moved(1);
  }
  // Each costs 100 ms and is worth 4.2 ms.
  CHECK(waits == 31);
  CHECK(!pace.has_stalled());
}

TEST_CASE("pace: bytes that come faster than the time is counted in do not hide that they are few") {
  Pace pace;
  int waits = 0;
  while (wait(pace, 100ms, 240, 20ms) && waits < 100) {
    ++waits;
    pace.moved(1);
  }
  CHECK(waits == 6);
}

TEST_CASE("pace: who keeps the rate is waited for without end, and may pause in between") {
  Pace pace;
  for (int i = 0; i < 1000; ++i) {
    CHECK(wait(pace, 3s, 240, 1s));
    pace.moved(240);
  }
  CHECK(wait(pace, 3s, 240, 2900ms));
  pace.moved(1);
  CHECK(!wait(pace, 3s, 240, 200ms));
}

TEST_CASE("pace: bytes pay what is owed, and nothing in advance") {
  Pace pace;
  pace.moved(1'000'000'000);
  CHECK(wait(pace, 3s, 240, 2s));
  pace.moved(std::size_t{1} << 40);
  CHECK(pace.wait(3s, 240, &now) == 3s);
}

TEST_CASE("pace: one long pause has stalled, many short ones have not") {
  Pace pace;
  CHECK(wait(pace, 3s, 240, 100ms));
  pace.moved(5);
  CHECK(!wait(pace, 3s, 240, 10s));
  CHECK(pace.has_stalled());
  pace.reset();
  CHECK(pace.wait(3s, 240, &now) == 3s);
}
