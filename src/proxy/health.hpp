/// \file
/// How one endpoint is, by what requests and checks saw of it. Std only; no clock: whoever calls says what time it is.
#pragma once

#include <gw/upstream.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace gw {
inline namespace v0 {
namespace proxy {

/// What a request saw of an endpoint.
enum class Sign {
  good,     ///< an answer
  failed,   ///< a reset, a timeout, a bad response, 502, 503 or 504
  refused,  ///< no connection
};

/// The health of one endpoint in one upstream: `up`, or `out` for a while, and then on `trial`, when one request decides.
///
///         refused, failures in a row,               time is over
///         failures of the window                 or a check is good
///     up -------------------------------> out -----------------------> trial
///      ^                                    ^                            | |
///      |              good                  |      failed or refused     | |
///      +------------------------------------+----------------------------+-+
///
/// Checks that fail keep it out until they succeed; one that succeeds ends every outage at once.
class Health {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State { up, out, trial };

  State state(Time now) const noexcept {
    if (is_checked_bad_) return State::out;
    if (!is_ejected_) return State::up;
    return now < out_until_ ? State::out : State::trial;
  }
  /// When time alone changes the state; the largest time if it does not.
  Time changes_at(Time now) const noexcept { return state(now) == State::out && !is_checked_bad_ ? out_until_ : Time::max(); }
  /// Whether a good answer would change anything.
  bool has_history() const noexcept { return in_row_ > 0 || is_ejected_; }
  /// Since when it has been up; the smallest time: always.
  Time up_since() const noexcept { return up_since_; }
  /// It has joined just now.
  void join(Time now) noexcept { up_since_ = now; }

  /// A request was answered. True: it is up again. What began before an outage does not end it.
  bool good(Time now) noexcept {
    in_row_ = 0;
    return state(now) == State::trial && recover(now);
  }

  /// A request failed. True: there is reason to eject it. `requests`: that it has had in its life, this one included.
  bool bad(const EjectOptions& options, Sign sign, Time now, std::uint64_t requests) noexcept {
    ++in_row_;
    if (now >= window_ends_) {
      window_ends_ = now + options.window;
      window_began_at_ = requests - 1;
      in_window_ = 0;
    }
    ++in_window_;
    const State present = state(now);
    if (present == State::out) return false;
    if (sign == Sign::refused || present == State::trial) return true;
    if (options.failures > 0 && in_row_ >= options.failures) return true;
    const std::uint64_t seen = requests - window_began_at_;
    return options.error_rate > 0 && seen >= options.requests && in_window_ * 100 >= seen * options.error_rate;
  }

  /// Takes it out: `time`, and twice as long as the last time if it was not well in between. For how long.
  Duration eject(const EjectOptions& options, Time now) noexcept {
    lasts_ = is_ejected_ ? std::min(2 * lasts_, options.longest) : options.time;
    is_ejected_ = true;
    out_until_ = now + lasts_;
    in_row_ = 0;
    window_ends_ = now;
    return lasts_;
  }

  /// A check ended. True: that changes whether the endpoint is used.
  bool checked(const CheckOptions& options, bool is_good, Time now) noexcept {
    const bool is_first = !is_known_;
    is_known_ = true;
    checks_in_row_ = is_good == is_last_check_good_ && !is_first ? checks_in_row_ + 1 : 1;
    is_last_check_good_ = is_good;
    // The first one decides: nothing else is known yet.
    if (!is_good) {
      if (is_checked_bad_ || (!is_first && checks_in_row_ < options.unhealthy)) return false;
      return is_checked_bad_ = true;
    }
    if (!is_checked_bad_ && !is_ejected_) return false;
    if (is_checked_bad_ && checks_in_row_ < options.healthy) return false;
    is_checked_bad_ = false;
    return recover(now);
  }
  /// Nobody checks any more: what checks have said is forgotten.
  void forget_checks() noexcept { is_known_ = is_checked_bad_ = false; }

 private:
  bool recover(Time now) noexcept {
    is_ejected_ = false;
    in_row_ = 0;
    up_since_ = now;
    return true;
  }

  Time up_since_ = Time::min();
  Time out_until_{};
  Duration lasts_{0};
  bool is_ejected_ = false;
  std::uint64_t in_row_ = 0;           // failures
  Time window_ends_ = Time::min();
  std::uint64_t window_began_at_ = 0;  // requests before the window
  std::uint64_t in_window_ = 0;        // failures
  bool is_known_ = false;              // from a check
  bool is_checked_bad_ = false;
  bool is_last_check_good_ = true;
  unsigned checks_in_row_ = 0;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
