/// \file
/// Level 3: endpoints in turn. Std only, usable alone.
#pragma once

#include <gw/balance/weighted_draw.hpp>
#include <gw/error.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// `Balance::round_robin`: smooth weighted round robin. Heavy endpoints come often but not in a row, and the shares of all workers together
/// are exact, since they take their turns from one counter. Otherwise immutable.
class RoundRobin {
 public:
  /// The sum of weights, divided by what they have in common, up to which shares are exact. Above, weights are scaled down to it, but
  /// none to nothing: the schedule has at most so many turns, and one per candidate on top.
  static constexpr std::uint64_t longest = 65'536;

  /// Begins at `turn`, so that whoever makes a new one because endpoints have changed can go on where the old one was.
  explicit RoundRobin(std::span<const Candidate> candidates, std::uint64_t turn = 0) : schedule_(scheduled(candidates)), turn_(turn) {}

  bool empty() const noexcept { return schedule_.empty(); }

  /// See `Balancer::pick`. Neither load nor chance count.
  template <class Load>
  std::size_t pick(Random& /*random*/, std::optional<std::uint64_t> /*hash*/, Load&& /*load*/) const {
    GW_ASSERT(!empty());
    return schedule_[turn_.fetch_add(1, std::memory_order_relaxed) % schedule_.size()];
  }

  /// The turns taken so far, those before the first included.
  std::uint64_t turn() const noexcept { return turn_.load(std::memory_order_relaxed); }

 private:
  // Candidates of equal weight, which take turns among themselves.
  struct Group {
    std::int64_t weight;
    std::vector<std::uint32_t> members;
    std::int64_t credit = 0;  // of the next member
    std::size_t next = 0;
  };

  // By scaled weight; in each the candidates in their order.
  static std::vector<Group> grouped(std::span<const Candidate> candidates) {
    std::uint64_t divisor = 0, sum = 0;
    for (const Candidate& c : candidates) divisor = std::gcd(divisor, std::uint64_t{c.weight}), sum += c.weight;
    std::map<std::uint64_t, Group> groups;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].weight == 0) continue;
      const std::uint64_t weight = candidates[i].weight;
      const std::uint64_t scaled = sum / divisor <= longest ? weight / divisor : std::max<std::uint64_t>(1, weight * longest / sum);
      Group& group = groups.try_emplace(scaled, Group{static_cast<std::int64_t>(scaled), {}}).first->second;
      group.members.push_back(static_cast<std::uint32_t>(i));
    }
    std::vector<Group> result;
    for (auto& [weight, group] : groups) result.push_back(std::move(group));
    return result;
  }

  // On every turn each candidate gets its weight as credit; who has the most, the first of several, is next and pays the sum of all
  // weights. In a group the next member always has the most, so that looking at groups is enough: there are at most 361, as
  // 1 + 2 + .. + 362 is above `longest`.
  static std::vector<std::uint32_t> scheduled(std::span<const Candidate> candidates) {
    std::vector<Group> groups = grouped(candidates);
    std::int64_t total = 0;
    for (const Group& g : groups) total += g.weight * static_cast<std::int64_t>(g.members.size());
    std::vector<std::uint32_t> schedule;
    schedule.reserve(static_cast<std::size_t>(total));
    for (std::int64_t turn = 0; turn < total; ++turn) {
      Group* best = nullptr;
      for (Group& g : groups) {
        g.credit += g.weight;
        if (!best || g.credit > best->credit || (g.credit == best->credit && g.members[g.next] < best->members[best->next])) best = &g;
      }
      schedule.push_back(best->members[best->next]);
      if (++best->next < best->members.size()) continue;
      best->next = 0;
      best->credit -= total;
    }
    return schedule;
  }

  std::vector<std::uint32_t> schedule_;
  mutable std::atomic<std::uint64_t> turn_;
};

}  // namespace v0
}  // namespace gw
