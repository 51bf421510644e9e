/// \file
/// Level 2: rules in the order in which they win, host by host and place by place. Std only.
#pragma once

#include <gw/detail/route_pattern.hpp>
#include <gw/error.hpp>
#include <gw/route.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// Sorts rules so that those of one host, below that those of one place in the tree, stand together,
/// and the rules of one place in the order of precedence; the regexes of a host come after its tree.
/// Rules and details must outlive it.
class RouteOrder {
 public:
  using Index = std::uint32_t;

  /// A rule at one of its hosts.
  struct Placed {
    std::string key;  ///< host, then the key of the rule
    Index host_size = 0;
    Index rule = 0;

    std::string_view host() const { return std::string_view(key).substr(0, host_size); }
  };

  RouteOrder(const std::vector<RouteRule>& rules, const std::vector<RouteDetails>& details) : rules_(rules), details_(details) {}

  /// Adds a rule that is in order by itself, once for each of its hosts.
  void add(std::size_t rule) {
    const auto unheard = [](const std::string&) {};
    std::set<std::string> hosts;
    for (const std::string& host : rules_[rule].hosts)
      if (auto plain = read_host(host, unheard)) hosts.insert(std::move(*plain));
    if (hosts.empty()) hosts.insert("");
    for (const std::string& host : hosts)
      placed_.push_back({host + details_[rule].key, static_cast<Index>(host.size()), static_cast<Index>(rule)});
  }

  void sort() {
    std::sort(placed_.begin(), placed_.end(), [this](const Placed& a, const Placed& b) { return precedes(a, b); });
  }

  const std::vector<Placed>& placed() const noexcept { return placed_; }
  const Placed& operator[](std::size_t i) const noexcept { return placed_[i]; }
  std::size_t size() const noexcept { return placed_.size(); }

  /// One after the last of those that have the host of `first`.
  std::size_t end_of_host(std::size_t first) const {
    std::size_t last = first + 1;
    while (last < placed_.size() && placed_[last].host() == placed_[first].host()) ++last;
    return last;
  }
  bool is_regex(std::size_t i) const { return rules_[placed_[i].rule].kind == RouteRule::Kind::regex; }

  /// Whether rule `a` wins over `b` where both are at one place and take a request, with the same claim to its method.
  bool is_ahead(std::size_t a, std::size_t b) const {
    const auto rank = [this](std::size_t index) {
      const RouteRule& rule = rules_[index];
      const RouteDetails& details = details_[index];
      return std::tuple(rule.kind == RouteRule::Kind::prefix, -std::int64_t{rule.priority}, rule.methods.empty(), ~details.headers.size(),
                        ~details.query.size(), std::string_view(rule.name), index);
    };
    return rank(a) < rank(b);
  }

 private:
  bool precedes(const Placed& a, const Placed& b) const {
    if (const int order = a.key.compare(b.key)) return order < 0;
    return is_ahead(a.rule, b.rule);
  }

  const std::vector<RouteRule>& rules_;
  const std::vector<RouteDetails>& details_;
  std::vector<Placed> placed_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
