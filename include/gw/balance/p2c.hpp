/// \file
/// Level 3: the power of two choices. Std only, usable alone.
#pragma once

#include <gw/balance/weighted_draw.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gw {
inline namespace v0 {

/// `Balance::p2c`: of two different endpoints, drawn by weight, the one with less load per weight. Nearly as even as `LeastRequests`, but
/// looks at two loads only, and gateways that do not know of each other do not all run to the same endpoint. Immutable.
class P2c {
 public:
  explicit P2c(std::span<const Candidate> candidates) : draw_(candidates) {}

  bool empty() const noexcept { return draw_.empty(); }

  /// See `Balancer::pick`. Asks for two loads, or none if there is one candidate.
  template <class Load>
  std::size_t pick(Random& random, std::optional<std::uint64_t> /*hash*/, Load&& load) const {
    const std::size_t first = draw_.draw(random);
    if (draw_.size() == 1) return draw_.index(first);
    const std::size_t second = draw_.draw_other(random, first);
    // load / weight, multiplied out. A tie goes to the first draw, so that idle endpoints get exactly the shares of their weights;
    // (load + 1) / weight, what it would be with this request, would send all requests of an idle pair to the heavier.
    const std::uint64_t load_of_first = static_cast<std::uint64_t>(load(draw_.index(first))) * draw_.weight(second);
    const std::uint64_t load_of_second = static_cast<std::uint64_t>(load(draw_.index(second))) * draw_.weight(first);
    return draw_.index(load_of_second < load_of_first ? second : first);
  }

 private:
  WeightedDraw draw_;
};

}  // namespace v0
}  // namespace gw
