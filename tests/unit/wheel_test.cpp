#include <doctest/doctest.h>

#include "net/wheel.hpp"

#include <chrono>
#include <memory>
#include <vector>

using gw::net::Wheel;
using namespace std::chrono_literals;

namespace {

/// A wheel whose time the test says. `wound` counts how often it asked to be driven.
struct Bench {
  Wheel::Clock::time_point now{};
  int wound = 0;
  Wheel wheel{now, [this] {
                ++wound;
                return now;
              }};

  void pass(Wheel::Clock::duration time) {
    now += time;
    wheel.advance(now);
  }
};

/// A deadline that notes when it fired.
struct Alarm {
  explicit Alarm(Bench& b) : bench(b) {}
  static void fire(void* self) {
    auto& alarm = *static_cast<Alarm*>(self);
    ++alarm.fired;
    alarm.at = alarm.bench.now;
  }

  Bench& bench;
  int fired = 0;
  Wheel::Clock::time_point at{};
  Wheel::Deadline deadline{&Alarm::fire, this};
};

}  // namespace

TEST_CASE("wheel: a deadline fires never early and less than two ticks late, wherever in a tick it was armed") {
  for (const auto after : {0ms, 1ms, 31ms, 32ms, 33ms, 64ms, 100ms, 4000ms, 16000ms, 16383ms, 16384ms, 16385ms, 20000ms, 60000ms}) {
    for (const auto offset : {0ms, 1ms, 16ms, 31ms}) {
      Bench bench;
      Alarm keeps_it_running(bench), alarm(bench);
      bench.wheel.arm(keeps_it_running.deadline, 24h);
      // The clock ticks, but the deadline is armed between two ticks.
      bench.pass(Wheel::tick * 7);
      bench.now += offset;
      const auto armed = bench.now;
      bench.wheel.arm(alarm.deadline, after);
      while (alarm.fired == 0 && bench.now < armed + after + 1s) bench.pass(1ms);
      CAPTURE(after.count());
      CAPTURE(offset.count());
      REQUIRE(alarm.fired == 1);
      CHECK(alarm.at >= armed + after);
      CHECK(alarm.at <= armed + after + 2 * Wheel::tick);
      CHECK_FALSE(alarm.deadline.is_armed());
    }
  }
}

TEST_CASE("wheel: it asks to be driven when its first entry is linked, and again after it ran empty") {
  Bench bench;
  Alarm alarm(bench);
  CHECK(bench.wheel.empty());
  bench.wheel.arm(alarm.deadline, 10ms);
  CHECK(bench.wound == 1);
  CHECK_FALSE(bench.wheel.empty());
  bench.wheel.arm(alarm.deadline, 20ms);
  CHECK(bench.wound == 1);
  bench.pass(200ms);
  CHECK(alarm.fired == 1);
  CHECK(bench.wheel.empty());

  // Nobody drove it meanwhile; the time that has passed must not count for the next deadline.
  bench.now += 1h;
  bench.wheel.arm(alarm.deadline, 100ms);
  CHECK(bench.wound == 2);
  bench.pass(99ms);
  CHECK(alarm.fired == 1);
  bench.pass(100ms);
  CHECK(alarm.fired == 2);
}

TEST_CASE("wheel: arming again moves a deadline, later or earlier, over any distance") {
  const std::chrono::milliseconds times[] = {0ms, 40ms, 500ms, 5000ms, 16384ms, 40000ms};
  for (const auto first : times) {
    for (const auto second : times) {
      Bench bench;
      Alarm alarm(bench);
      bench.wheel.arm(alarm.deadline, first);
      bench.wheel.arm(alarm.deadline, second);
      while (alarm.fired == 0 && bench.now.time_since_epoch() < second + 1s) bench.pass(8ms);
      CAPTURE(first.count());
      CAPTURE(second.count());
      REQUIRE(alarm.fired == 1);
      CHECK(alarm.at.time_since_epoch() >= second);
      CHECK(alarm.at.time_since_epoch() <= second + 3 * Wheel::tick);
      bench.pass(2min);
      CHECK(alarm.fired == 1);
    }
  }
}

TEST_CASE("wheel: a deadline that is pushed on before it is due never fires, as for a busy connection") {
  Bench bench;
  Alarm alarm(bench);
  for (int i = 0; i < 2000; ++i) {
    bench.wheel.arm(alarm.deadline, 100ms);
    bench.pass(50ms);
  }
  CHECK(alarm.fired == 0);
  bench.pass(200ms);
  CHECK(alarm.fired == 1);
}

TEST_CASE("wheel: a deadline that was disarmed does not fire, and its entry leaves when its slot comes by") {
  Bench bench;
  Alarm alarm(bench);
  bench.wheel.arm(alarm.deadline, 100ms);
  alarm.deadline.disarm();
  CHECK_FALSE(alarm.deadline.is_armed());
  CHECK_FALSE(bench.wheel.empty());
  bench.pass(1s);
  CHECK(alarm.fired == 0);
  CHECK(bench.wheel.empty());

  bench.wheel.arm(alarm.deadline, 100ms);
  alarm.deadline.disarm();
  bench.wheel.arm(alarm.deadline, 50ms);
  bench.pass(1s);
  CHECK(alarm.fired == 1);
}

TEST_CASE("wheel: a long pause fires everything that became due, once, and nothing else") {
  for (const auto pause : {1s, 16s, 17s, 33s, 3600s}) {
    Bench bench;
    std::vector<std::unique_ptr<Alarm>> alarms;
    const auto due_after = [](int i) { return std::chrono::milliseconds(i * 37); };
    for (int i = 0; i < 1000; ++i) {
      alarms.push_back(std::make_unique<Alarm>(bench));
      bench.wheel.arm(alarms.back()->deadline, due_after(i));
    }
    bench.pass(pause);
    for (int i = 0; i < 1000; ++i) {
      CAPTURE(i);
      if (due_after(i) + 2 * Wheel::tick <= pause) CHECK(alarms[static_cast<std::size_t>(i)]->fired == 1);
      if (due_after(i) > pause) CHECK(alarms[static_cast<std::size_t>(i)]->fired == 0);
    }
    bench.pass(1h);
    for (const auto& alarm : alarms) CHECK(alarm->fired == 1);
    CHECK(bench.wheel.empty());
  }
}

TEST_CASE("wheel: a deadline destroyed while it is armed leaves the wheel") {
  Bench bench;
  auto first = std::make_unique<Alarm>(bench);
  Alarm second(bench);
  bench.wheel.arm(first->deadline, 100ms);
  bench.wheel.arm(second.deadline, 100ms);
  first.reset();
  bench.pass(1s);
  CHECK(second.fired == 1);
  CHECK(bench.wheel.empty());
}

TEST_CASE("wheel: a callback may destroy its own deadline and others of the same slot") {
  Bench bench;
  struct Victim {
    Victim(std::vector<std::unique_ptr<Victim>>& a, int& f) : all(a), fired(f) {}
    static void fire(void* self) {
      auto& victim = *static_cast<Victim*>(self);
      ++victim.fired;
      victim.all.clear();
    }
    std::vector<std::unique_ptr<Victim>>& all;
    int& fired;
    Wheel::Deadline deadline{&Victim::fire, this};
  };
  std::vector<std::unique_ptr<Victim>> all;
  int fired = 0;
  for (int i = 0; i < 5; ++i) {
    all.push_back(std::make_unique<Victim>(all, fired));
    bench.wheel.arm(all.back()->deadline, 100ms);
  }
  bench.pass(1s);
  CHECK(fired == 1);
  CHECK(all.empty());
  CHECK(bench.wheel.empty());
}

TEST_CASE("wheel: a callback may arm its own deadline again, and others of the same slot") {
  Bench bench;
  struct Repeating {
    explicit Repeating(Bench& b) : bench(b) {}
    static void fire(void* self) {
      auto& r = *static_cast<Repeating*>(self);
      ++r.fired;
      if (r.fired < 5) r.bench.wheel.arm(r.deadline, 100ms);
      if (r.other) r.bench.wheel.arm(r.other->deadline, 1s);
    }
    Bench& bench;
    Alarm* other = nullptr;
    int fired = 0;
    Wheel::Deadline deadline{&Repeating::fire, this};
  };
  Repeating repeating(bench);
  Alarm other(bench);
  repeating.other = &other;
  bench.wheel.arm(repeating.deadline, 100ms);
  bench.wheel.arm(other.deadline, 100ms);
  for (int i = 0; i < 700; ++i) bench.pass(1ms);
  CHECK(repeating.fired == 4);
  for (int i = 0; i < 200; ++i) bench.pass(1ms);
  CHECK(repeating.fired == 5);
  // Pushed on by every callback, the first time while it lay in the same slot.
  CHECK(other.fired == 0);
  for (int i = 0; i < 1100; ++i) bench.pass(1ms);
  CHECK(other.fired == 1);
  CHECK(bench.wheel.empty());
}

TEST_CASE("wheel: the only deadline may be armed again by its callback, although the wheel is empty at that moment") {
  Bench bench;
  struct Again {
    explicit Again(Bench& b) : bench(b) {}
    static void fire(void* self) {
      auto& a = *static_cast<Again*>(self);
      a.fired.push_back(a.bench.now);
      if (a.fired.size() < 4) a.bench.wheel.arm(a.deadline, 50ms);
    }
    Bench& bench;
    std::vector<Wheel::Clock::time_point> fired;
    Wheel::Deadline deadline{&Again::fire, this};
  } again(bench);
  bench.wheel.arm(again.deadline, 50ms);
  for (int i = 0; i < 1000; ++i) bench.pass(1ms);
  REQUIRE(again.fired.size() == 4);
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(again.fired[i] - again.fired[i - 1] >= 50ms);
    CHECK(again.fired[i] - again.fired[i - 1] <= 50ms + 2 * Wheel::tick);
  }
  CHECK(bench.wheel.empty());
}

TEST_CASE("wheel: deadlines may outlive the wheel") {
  auto bench = std::make_unique<Bench>();
  Wheel::Deadline near([](void*) {}, nullptr), far([](void*) {}, nullptr), gone([](void*) {}, nullptr);
  bench->wheel.arm(near, 1ms);
  bench->wheel.arm(far, 1h);
  bench->wheel.arm(gone, 1ms);
  gone.disarm();
  bench.reset();
  CHECK(near.is_armed());
}

TEST_CASE("wheel: a lone deadline that arms itself again does not turn time back") {
  // The clock stands still, as it does for a wheel that is driven ahead of it.
  Bench bench;
  struct Again {
    static void fire(void* self) {
      auto& again = *static_cast<Again*>(self);
      ++again.fired;
      again.bench.wheel.arm(again.deadline, 100ms);
    }
    Bench& bench;
    int fired = 0;
    Wheel::Deadline deadline{&Again::fire, this};
  } again{bench};
  bench.wheel.arm(again.deadline, 100ms);
  bench.wheel.advance(Wheel::Clock::time_point(10s));
  CHECK(again.fired > 60);
  CHECK(again.fired <= 100);
}
