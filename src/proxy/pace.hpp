/// \file
/// How long a client is waited for that sends or takes a message little by little. Std only; waiting is done elsewhere.
#pragma once

#include <gw/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace gw {
inline namespace v0 {
namespace proxy {

/// What a client owes: the time that was waited for it, less what its bytes are worth at `rate` bytes per second. When it owes as much
/// as one pause may take, it is too slow. So a byte now and then does not buy another pause, and a client that keeps the rate may pause.
///
///     const Duration left = pace.wait(pause, rate);
///     if (left <= Duration(0) || co_await transport.until(side, left) == Wake::timed_out) ...   // too slow
///     pace.resume();
///     pace.moved(bytes);
///
/// A message that need not be waited for costs nothing, and without a rate no clock is read.
class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  /// Nothing is owed.
  void reset() noexcept { debt_ = {}; }

  /// Begins to wait; how long at most: what is left of `pause`. Rate 0: all of it, each time.
  Duration wait(Duration pause, std::uint32_t rate, Clock::time_point (*now)() = &Clock::now) noexcept {
    rate_ = rate;
    if (rate == 0) {
      has_stalled_ = true;
      return pause;
    }
    const std::chrono::nanoseconds left = pause - debt_;
    has_stalled_ = debt_ <= left;
    began_ = now();
    return std::chrono::ceil<Duration>(left);
  }
  /// The wait is over.
  void resume(Clock::time_point (*now)() = &Clock::now) noexcept {
    if (rate_ != 0) debt_ += now() - began_;
  }
  /// So many bytes came or went.
  void moved(std::size_t bytes) noexcept {
    if (debt_.count() == 0 || rate_ == 0) return;
    // Bounded, for the product; it is worth more than any debt.
    const std::uint64_t counted = std::min<std::uint64_t>(bytes, std::uint64_t{1} << 32);
    debt_ = std::max(std::chrono::nanoseconds(0), debt_ - std::chrono::nanoseconds(counted * 1'000'000'000 / rate_));
  }
  /// Whether the last wait was for the most part of its time a single pause, not many of them.
  bool has_stalled() const noexcept { return has_stalled_; }

 private:
  std::chrono::nanoseconds debt_{0};
  Clock::time_point began_;
  std::uint32_t rate_ = 0;
  bool has_stalled_ = false;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
