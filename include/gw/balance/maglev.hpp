/// \file
/// Level 3: consistent hashing. Std only, usable alone.
#pragma once

#include <gw/balance/weighted_draw.hpp>
#include <gw/error.hpp>
#include <gw/hash.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

namespace gw {
inline namespace v0 {

/// `Balance::maglev`: the same endpoint for the same hash, in every gateway with the same endpoints in whatever order. When one of N
/// leaves, its keys move, 1/N, and a few others. Measured with equal weights: 1.03/N in all for 10 endpoints, 1.7/N for 100, 6/N for 1000.
///
/// After Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4: every candidate prefers the
/// entries of a table in an order of its own, and candidates take turns to claim their next free entry. Immutable. Takes milliseconds to
/// make (2 for 100 endpoints and 10 for 1000; 7 and 40 if no two weights are equal) and 256 KiB, from 656 endpoints on 1 MiB.
class Maglev {
 public:
  /// Sizes of the table: primes, so that every step reaches all entries. Far apart, since almost all keys move when the size changes. The
  /// smallest has 100 entries per candidate for up to 655: the share of an average one is exact within 1 %.
  static constexpr std::array<std::uint32_t, 5> sizes{65'521, 262'139, 1'048'573, 4'194'301, 16'777'213};

  explicit Maglev(std::span<const Candidate> candidates) : draw_(candidates), table_(filled(candidates)) {}

  bool empty() const noexcept { return draw_.empty(); }

  /// See `Balancer::pick`. Draws by weight if there is no hash.
  template <class Load>
  std::size_t pick(Random& random, std::optional<std::uint64_t> hash, Load&& /*load*/) const {
    GW_ASSERT(!empty());
    if (!hash) return draw_.index(draw_.draw(random));
    // By the remainder of a prime, not the upper bits: whoever splits requests by the same hash may have used those.
    return table_[*hash % table_.size()];
  }

 private:
  static constexpr std::uint32_t free = std::numeric_limits<std::uint32_t>::max();

  // A candidate and its place in its permutation of the table.
  struct Claimant {
    unsigned weight;
    std::uint64_t hash;
    std::string_view key;
    std::uint32_t index;
    std::uint32_t at = 0;
    std::uint32_t step = 0;
  };

  // Claimants of equal weight, next to each other in the order of all: their turns always come together.
  struct Group {
    std::size_t first, end;
    double time = 0;  // of the next turn
    std::uint32_t turns = 0;
  };
  static bool is_later(const Group& a, const Group& b) noexcept { return std::tie(a.time, a.first) > std::tie(b.time, b.first); }

  // Those out for a while, with weight 0, count too: the size must not change with their health.
  static std::uint32_t size_for(std::size_t candidates) noexcept {
    for (const std::uint32_t size : sizes)
      if (size / 100 >= candidates) return size;
    return sizes.back();
  }

  // The heaviest first, and in an order that does not depend on that of `candidates`.
  static std::vector<Claimant> claimants(std::span<const Candidate> candidates, std::uint32_t size) {
    std::vector<Claimant> result;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const auto& [key, weight] = candidates[i];
      if (weight == 0) continue;
      Claimant c{weight, hash_of(key), key, static_cast<std::uint32_t>(i)};
      c.at = static_cast<std::uint32_t>(c.hash % size);
      // Another hash than the one of the offset.
      c.step = static_cast<std::uint32_t>(mix(c.hash + 0x9E3779B97F4A7C15ULL) % (size - 1)) + 1;
      result.push_back(c);
    }
    std::sort(result.begin(), result.end(),
              [](const Claimant& a, const Claimant& b) { return std::tie(b.weight, a.hash, a.key) < std::tie(a.weight, b.hash, b.key); });
    return result;
  }

  static void claim(Claimant& c, std::vector<std::uint32_t>& table) noexcept {
    const auto size = static_cast<std::uint32_t>(table.size());
    while (table[c.at] != free) {
      c.at += c.step;
      if (c.at >= size) c.at -= size;
    }
    table[c.at] = c.index;
  }

  static std::vector<std::uint32_t> filled(std::span<const Candidate> candidates) {
    const std::uint32_t size = size_for(candidates.size());
    std::vector<Claimant> all = claimants(candidates, size);
    if (all.empty()) return {};
    if (all.size() == 1) return {all.front().index};
    std::vector<Group> groups;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i == 0 || all[i].weight != all[i - 1].weight) groups.push_back({i, i});
      ++groups.back().end;
    }
    // The k-th turn of a candidate comes at the time k / weight, counted from 0: heavy ones claim more often, all claim at least once, and
    // who comes before whom does not depend on third ones. That keeps moves few.
    std::vector<std::uint32_t> table(size, free);
    for (std::uint32_t claimed = 0;;) {
      std::pop_heap(groups.begin(), groups.end(), is_later);
      Group& group = groups.back();
      for (std::size_t i = group.first; i < group.end; ++i) {
        claim(all[i], table);
        if (++claimed == size) return table;
      }
      group.time = ++group.turns / static_cast<double>(all[group.first].weight);
      std::push_heap(groups.begin(), groups.end(), is_later);
    }
  }

  WeightedDraw draw_;
  std::vector<std::uint32_t> table_;
};

}  // namespace v0
}  // namespace gw
