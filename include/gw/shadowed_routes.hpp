/// \file
/// Level 2: finds routes that never get a request. Std only.
#pragma once

#include <gw/detail/route_order.hpp>
#include <gw/router.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {

/// A route that never gets a request, and the routes that win all of those that it takes.
struct ShadowedRoute {
  std::size_t rule = 0;         ///< the how-manyth `add`, from 0
  std::vector<std::size_t> by;  ///< one or more others, ascending
};

namespace detail {

/// Compares the rules of one router. What it reports is certain; it does not find everything: it looks
/// for one route per method that takes all that another takes, at each host of that one.
class ShadowFinder {
 public:
  ShadowFinder(const std::vector<RouteRule>& rules, const std::vector<RouteDetails>& details)
      : rules_(rules), details_(details), order_(rules, details) {}

  std::vector<ShadowedRoute> find() {
    for (std::size_t i = 0; i < rules_.size(); ++i) order_.add(i);
    order_.sort();
    for (std::size_t first = 0, last; first < order_.size(); first = last) {
      last = order_.end_of_host(first);
      for (std::size_t begin = first, end; begin < last; begin = end) {
        for (end = begin + 1; end < last && order_[end].key == order_[begin].key;) ++end;
        const bool is_list = order_.is_regex(begin);
        for (std::size_t i = begin; i < end; ++i) {
          std::vector<std::size_t> rivals;
          if (is_list) add_prefixes(first, begin, order_[i].rule, rivals);
          for (std::size_t j = begin; j < end; ++j)
            if (j != i && takes_paths_of(order_[j].rule, order_[i].rule)) rivals.push_back(order_[j].rule);
          judge(order_[i].rule, rivals);
        }
      }
    }
    std::vector<ShadowedRoute> found;
    for (const auto& [rule, winners] : winners_)
      if (winners) found.push_back({rule, {winners->begin(), winners->end()}});
    return found;
  }

 private:
  /// Adds the prefixes among [first, last), the tree of the host, that take every path of a regex.
  void add_prefixes(std::size_t first, std::size_t last, std::size_t regex, std::vector<std::size_t>& rivals) const {
    std::string key(order_[first].host());
    std::string_view rest = details_[regex].regex->literal_prefix;
    while (true) {
      const auto is_before = [](const RouteOrder::Placed& placed, const std::string& wanted) { return placed.key < wanted; };
      const auto begin = order_.placed().begin();
      auto at = std::lower_bound(begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last), key, is_before);
      for (; at != begin + static_cast<std::ptrdiff_t>(last) && at->key == key; ++at) {
        const bool is_root = key.size() == order_[first].host_size;
        const bool sees_same_path = is_root || rules_[at->rule].keep_slashes == rules_[regex].keep_slashes;
        if (rules_[at->rule].kind == RouteRule::Kind::prefix && sees_same_path) rivals.push_back(at->rule);
      }
      // The next segment, if what every path begins with says all of it.
      const std::size_t end = rest.find('/', 1);
      if (!rest.starts_with('/') || end == std::string_view::npos) return;
      (key += literal_mark) += rest.substr(1, end - 1);
      rest.remove_prefix(end);
    }
  }

  /// Whether `other`, at the same place as `rule`, takes every path that `rule` takes.
  bool takes_paths_of(std::size_t other, std::size_t rule) const {
    const RouteRule &a = rules_[other], &b = rules_[rule];
    if (a.kind != b.kind) return false;
    if (a.kind == RouteRule::Kind::regex && details_[other].regex->takes_every_path) return true;
    if (a.kind == RouteRule::Kind::regex && a.pattern != b.pattern) return false;
    const bool takes_all = a.kind == RouteRule::Kind::prefix && details_[other].key.empty();
    return takes_all || a.keep_slashes == b.keep_slashes;
  }

  /// Notes whether `rivals` win every request of `rule` at one of its hosts.
  void judge(std::size_t rule, const std::vector<std::size_t>& rivals) {
    std::optional<std::set<std::size_t>>& winners = winners_.try_emplace(rule, std::set<std::size_t>{}).first->second;
    for (std::size_t m = 0; m < method_names.size() && winners; ++m) {
      const auto method = static_cast<Method>(m);
      if (claim(rule, method) == 3) continue;
      const auto wins = [&](std::size_t rival) {
        return claim(rival, method) < 3 && implies(details_[rule].headers, details_[rival].headers) &&
               implies(details_[rule].query, details_[rival].query) && is_ahead(rival, rule, method);
      };
      const auto winner = std::find_if(rivals.begin(), rivals.end(), wins);
      if (winner == rivals.end()) winners.reset();
      else winners->insert(*winner);
    }
  }

  int claim(std::size_t rule, Method method) const {
    const MethodSet methods = rules_[rule].methods;
    if (methods.contains(method)) return 0;
    if (methods.empty()) return 2;
    return method == Method::head && methods.contains(Method::get) ? 1 : 3;
  }

  /// Whether a request that passes `given` passes `wanted`.
  static bool implies(const std::vector<FieldTest>& given, const std::vector<FieldTest>& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const FieldTest& test) {
      return std::any_of(given.begin(), given.end(), [&](const FieldTest& other) {
        return other.name == test.name && (test.value == "*" || other.value == test.value);
      });
    });
  }

  /// Whether `rival` wins over `rule` wherever both take a request with `method`.
  bool is_ahead(std::size_t rival, std::size_t rule, Method method) const {
    if (rules_[rival].kind != rules_[rule].kind) return true;  // a prefix, before a regex
    if (rules_[rival].priority != rules_[rule].priority) return rules_[rival].priority > rules_[rule].priority;
    const int a = claim(rival, method), b = claim(rule, method);
    return a != b ? a < b : order_.is_ahead(rival, rule);
  }

  const std::vector<RouteRule>& rules_;
  const std::vector<RouteDetails>& details_;
  RouteOrder order_;
  std::map<std::size_t, std::optional<std::set<std::size_t>>> winners_;  // by rule; nothing: it has requests of its own
};

}  // namespace detail

/// The routes of `router` that never get a request, sorted by rule. Each of them is certain, but
/// others may stay unfound. Takes time like `RouterBuilder::build`, but grows with the square of the
/// number of routes at one place; any thread.
template <class T>
std::vector<ShadowedRoute> shadowed_routes(const Router<T>& router) {
  const std::vector<RouteRule> rules = router.rules();
  return detail::ShadowFinder(rules, router.details(rules)).find();
}

}  // namespace v0
}  // namespace gw
