/// \file
/// Level 3: drawing one of several candidates by weight. Std only, usable alone.
#pragma once

#include <gw/error.hpp>
#include <gw/random.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {

/// One endpoint to choose from. Only read while a balancer is made.
struct Candidate {
  std::string_view key;  ///< the address: the same in all gateways, since `maglev` places by it
  unsigned weight = 1;   ///< share relative to the others; 0: never picked
};

/// Draws candidates by weight: in constant time if all weights are equal, else in the logarithm of their number, with no table that grows
/// with the weights. Candidates with weight have *slots* 0 .. size()-1; those without have none. Immutable.
class WeightedDraw {
 public:
  explicit WeightedDraw(std::span<const Candidate> candidates) {
    bool is_equal = true;
    ends_.push_back(0);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].weight == 0) continue;
      indices_.push_back(static_cast<std::uint32_t>(i));
      ends_.push_back(ends_.back() + candidates[i].weight);
      is_equal = is_equal && candidates[i].weight == candidates[index(0)].weight;
    }
    total_ = is_equal ? size() : ends_.back();
    if (is_equal) ends_.clear();
  }

  bool empty() const noexcept { return indices_.empty(); }
  /// The number of slots.
  std::size_t size() const noexcept { return indices_.size(); }
  /// The candidate of a slot, as its index into what the constructor got.
  std::size_t index(std::size_t slot) const noexcept { return indices_[slot]; }
  /// The weight of a slot; 1 if all are equal, as only their ratios count. Below 2^32.
  std::uint64_t weight(std::size_t slot) const noexcept { return ends_.empty() ? 1 : ends_[slot + 1] - ends_[slot]; }

  /// A slot, each as likely as its weight says. Not of an empty one.
  std::size_t draw(Random& random) const {
    GW_ASSERT(!empty());
    return slot_at(random.below(total_));
  }

  /// A slot other than `slot`, the rest as likely as their weights say. Not with fewer than two.
  std::size_t draw_other(Random& random, std::size_t slot) const {
    GW_ASSERT(size() > 1);
    // A point on the line of all weights without the part of `slot`: one draw is enough.
    const std::uint64_t point = random.below(total_ - weight(slot));
    return slot_at(point < begin(slot) ? point : point + weight(slot));
  }

 private:
  std::uint64_t begin(std::size_t slot) const noexcept { return ends_.empty() ? slot : ends_[slot]; }

  std::size_t slot_at(std::uint64_t point) const noexcept {
    if (ends_.empty()) return static_cast<std::size_t>(point);
    return static_cast<std::size_t>(std::upper_bound(ends_.begin() + 1, ends_.end(), point) - ends_.begin()) - 1;
  }

  std::vector<std::uint32_t> indices_;
  std::vector<std::uint64_t> ends_;  // 0 and the sums of weights up to each slot; empty if all weights are equal
  std::uint64_t total_ = 0;
};

}  // namespace v0
}  // namespace gw
