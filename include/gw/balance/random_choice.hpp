/// \file
/// Level 3: any endpoint, by weight. Std only, usable alone.
#pragma once

#include <gw/balance/weighted_draw.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gw {
inline namespace v0 {

/// `Balance::random`: draws by weight and looks at nothing else. Immutable.
class RandomChoice {
 public:
  explicit RandomChoice(std::span<const Candidate> candidates) : draw_(candidates) {}

  bool empty() const noexcept { return draw_.empty(); }

  /// See `Balancer::pick`. The load is not asked for.
  template <class Load>
  std::size_t pick(Random& random, std::optional<std::uint64_t> /*hash*/, Load&& /*load*/) const {
    return draw_.index(draw_.draw(random));
  }

 private:
  WeightedDraw draw_;
};

}  // namespace v0
}  // namespace gw
