/// \file
/// How many requests may be tried again. Std only; no clock.
#pragma once

#include <gw/upstream.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Keeps retries from multiplying an outage. Two things bound them, since outages are of two kinds:
///
/// - Upstreams that hang keep retries under way: these are at most `budget` percent of the requests under way, plus `floor`.
/// - Upstreams that fail quickly could have many retries one after the other: every request earns `budget` percent of one, and what is
///   saved up is bounded as the retries under way are. When little is asked, `floor` of them come back within a minute.
///
/// Not thread-safe.
class RetryBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Begins a retry, unless there are too many. `active`: requests under way; `requests`: that there have ever been; both without retries.
  bool begin(const RetryOptions& options, std::uint64_t active, std::uint64_t requests, Time now) noexcept {
    const double share = options.budget / 100.0, floor = options.floor;
    const double bound = floor + share * static_cast<double>(active);
    if (!is_used_) {
      saved_ = bound;
      is_used_ = true;
    } else {
      // Counters begin anew when there are more workers.
      saved_ += share * static_cast<double>(requests - std::min(requests, seen_));
      const double idle = std::chrono::duration<double>(now - looked_).count();
      if (saved_ < floor) saved_ = std::min(floor, saved_ + floor * idle / 60);
      saved_ = std::min(saved_, bound);
    }
    seen_ = requests;
    looked_ = now;
    if (saved_ < 1 || static_cast<double>(under_way_) + 1 > bound) return false;
    saved_ -= 1;
    ++under_way_;
    return true;
  }

  /// A retry has ended: its answer begins, or it failed.
  void end() noexcept { --under_way_; }

 private:
  bool is_used_ = false;
  double saved_ = 0;
  std::uint64_t seen_ = 0;
  Time looked_{};
  std::uint64_t under_way_ = 0;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
