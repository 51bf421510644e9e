/// \file
/// Level 3: which endpoint of an upstream gets the next request. Std only, usable alone.
#pragma once

#include <gw/error.hpp>
#include <gw/upstream.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace gw {
inline namespace v0 {

/// A small, fast source of random numbers (xorshift64*); one per worker. Not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed ? seed : 1) {}
  std::uint64_t operator()() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  /// 0 .. n-1; n above zero.
  std::size_t below(std::size_t n) noexcept { return static_cast<std::size_t>(((*this)() >> 32) * n >> 32); }

 private:
  std::uint64_t state_;
};

/// Chooses among the endpoints of one upstream by their weights. Shared by all workers.
class Balancer {
 public:
  /// `weights[i]` belongs to endpoint i; 0 takes it out. At least one must be above 0 for `pick`.
  Balancer(Balance balance, const std::vector<unsigned>& weights) : balance_(balance), weights_(weights) { schedule(); }

  /// Whether any endpoint can be picked.
  bool empty() const noexcept { return turns_.empty(); }

  /// The endpoint for the next request; `load(i)` tells how many requests run at endpoint i.
  template <class Load>
  std::size_t pick(Random& random, Load&& load) const {
    GW_ASSERT(!empty());
    if (balance_ == Balance::round_robin) return turns_[turn_.fetch_add(1, std::memory_order_relaxed) % turns_.size()];
    const std::size_t first = turns_[random.below(turns_.size())];
    std::size_t second = turns_[random.below(turns_.size())];
    // Two different ones where there are two; the next in the schedule is as good as another draw.
    if (second == first) second = turns_[next_other(first, random.below(turns_.size()))];
    const auto per_weight = [&](std::size_t i) { return static_cast<double>(load(i)) / weights_[i]; };
    return per_weight(second) < per_weight(first) ? second : first;
  }

 private:
  // Smooth weighted round robin, unrolled once: heavy endpoints come often but not in a row.
  void schedule() {
    unsigned divisor = 0;
    for (unsigned w : weights_) divisor = std::gcd(divisor, w);
    if (divisor == 0) return;
    std::vector<std::int64_t> credit(weights_.size(), 0);
    std::int64_t total = 0;
    for (unsigned w : weights_) total += w / divisor;
    turns_.reserve(static_cast<std::size_t>(total));
    for (std::int64_t turn = 0; turn < total; ++turn) {
      for (std::size_t i = 0; i < weights_.size(); ++i) credit[i] += weights_[i] / divisor;
      const auto best = static_cast<std::size_t>(std::max_element(credit.begin(), credit.end()) - credit.begin());
      credit[best] -= total;
      turns_.push_back(static_cast<std::uint32_t>(best));
    }
  }

  std::size_t next_other(std::size_t not_this, std::size_t from) const noexcept {
    for (std::size_t step = 0; step < turns_.size(); ++step) {
      const std::size_t at = (from + step) % turns_.size();
      if (turns_[at] != not_this) return at;
    }
    return from;
  }

  Balance balance_;
  std::vector<unsigned> weights_;
  std::vector<std::uint32_t> turns_;
  mutable std::atomic<std::uint64_t> turn_{0};
};

}  // namespace v0
}  // namespace gw
