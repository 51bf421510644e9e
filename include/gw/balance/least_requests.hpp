/// \file
/// Level 3: the endpoint with the fewest requests. Std only, usable alone.
#pragma once

#include <gw/balance/weighted_draw.hpp>
#include <gw/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gw {
inline namespace v0 {

/// `Balance::least_requests`: of all endpoints the one with the least load per weight. Looks at every load, so it is for upstreams with
/// few endpoints and long requests. Immutable.
class LeastRequests {
 public:
  explicit LeastRequests(std::span<const Candidate> candidates) : draw_(candidates) {}

  bool empty() const noexcept { return draw_.empty(); }

  /// See `Balancer::pick`. Asks for the load of every candidate with weight, once.
  template <class Load>
  std::size_t pick(Random& random, std::optional<std::uint64_t> /*hash*/, Load&& load) const {
    GW_ASSERT(!empty());
    std::size_t best = 0;
    std::uint64_t least = static_cast<std::uint64_t>(load(draw_.index(0)));
    std::uint64_t tied = draw_.weight(0);
    for (std::size_t slot = 1; slot < draw_.size(); ++slot) {
      const std::uint64_t own = static_cast<std::uint64_t>(load(draw_.index(slot)));
      const std::uint64_t weight = draw_.weight(slot);
      const std::uint64_t own_scaled = own * draw_.weight(best), least_scaled = least * weight;
      if (own_scaled > least_scaled) continue;
      tied = own_scaled == least_scaled ? tied + weight : weight;
      // Each of those that tie wins with the share of its weight among them. To begin at a random place and take the first would favour
      // the one behind a row of busy ones.
      if (tied != weight && random.below(tied) >= weight) continue;
      best = slot;
      least = own;
    }
    return draw_.index(best);
  }

 private:
  WeightedDraw draw_;
};

}  // namespace v0
}  // namespace gw
