/// \file
/// Whether an upstream is asked at all. Std only; no clock.
#pragma once

#include <gw/upstream.hpp>

#include <chrono>
#include <cstdint>

namespace gw {
inline namespace v0 {
namespace proxy {

/// A circuit breaker: *closed* while all is well; *open*, so that nobody asks, when too many requests have failed; then *half open*, when
/// one request may try. Not thread-safe.
class Breaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// How a request ended; `unknown`: nobody waited for that.
  enum class Ending { good, failed, unknown };

  /// Whether a request may be sent. Unless it may not, `ended` follows, with the same.
  enum class Pass { no, yes, trial };
  Pass enter(Time now) noexcept {
    if (!is_open_) return Pass::yes;
    if (now < open_until_ || is_trying_) return Pass::no;
    is_trying_ = true;
    return Pass::trial;
  }

  void ended(const BreakerOptions& options, Pass pass, Ending how, Time now) noexcept {
    if (pass == Pass::trial) return ended_trial(options, how, now);
    // Those that began before it opened say nothing new.
    if (is_open_ || how == Ending::unknown) return;
    if (now >= window_ends_) {
      window_ends_ = now + options.window;
      requests_ = failures_ = 0;
    }
    ++requests_;
    failures_ += how == Ending::failed;
    if (requests_ < options.requests || failures_ * 100 < requests_ * options.error_rate) return;
    open(options, now);
  }

  bool is_open() const noexcept { return is_open_; }

 private:
  void ended_trial(const BreakerOptions& options, Ending how, Time now) noexcept {
    is_trying_ = false;
    if (how == Ending::failed) open(options, now);
    if (how == Ending::good) is_open_ = false;
  }
  void open(const BreakerOptions& options, Time now) noexcept {
    is_open_ = true;
    is_trying_ = false;
    open_until_ = now + options.open;
    window_ends_ = now;
  }

  bool is_open_ = false;
  bool is_trying_ = false;
  Time open_until_{};
  Time window_ends_{};
  std::uint64_t requests_ = 0, failures_ = 0;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
