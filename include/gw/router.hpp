/// \file
/// Level 2: which route a request takes. Std only, usable alone. The rules in plain words:
/// docs/routing.md.
#pragma once

#include <gw/detail/kept_rules.hpp>
#include <gw/detail/route_compiler.hpp>
#include <gw/detail/route_trie.hpp>
#include <gw/http.hpp>
#include <gw/params.hpp>
#include <gw/route.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// What a router found. Pointers and names are valid as long as the router, and as it is not moved; values of
/// parameters as long as the path that was matched.
template <class T>
struct Match {
  const T* value = nullptr;  ///< what was added with the route; null if no route takes the request
  std::string_view name;     ///< of its rule; empty if there is no route
  std::size_t index = 0;     ///< its number in the order of `add`: `Router::rule` has the rule
  Params params;             ///< still percent-encoded
  /// Whether it is `RouteQuery::unmerged_path` that was matched: the rule has `keep_slashes`, and there was one.
  bool is_unmerged = false;
  /// How many bytes of the path the pattern took: what `strip_prefix` removes. 0 for prefix "/", so
  /// that the rest always starts with "/" or is empty; all of it for a path or regex.
  std::size_t prefix_length = 0;
  /// Without a route: the methods that would have found one, for 405 and `Allow`. Empty means 404.
  /// HEAD is there where GET is.
  MethodSet allowed;

  explicit operator bool() const noexcept { return value != nullptr; }
};

/// Routes, ready to be matched. Immutable, so every thread may use it at once. Made by
/// `RouterBuilder`; one made without is empty and matches nothing.
///
///     gw::RouterBuilder<int> builder;
///     builder.add({.pattern = "/foo"}, 1);
///     auto [router, problems] = builder.build();
///     if (auto match = router.match({.path = "/foo/x"})) use(*match.value);
template <class T>
class Router {
 public:
  Router() = default;

  /// The route for `request`. Does not allocate, unless a pattern with more than eight parameters
  /// or a regex is tried. Visits no node of the tree twice, and none deeper than the longest pattern.
  Match<T> match(const RouteQuery& request) const {
    Match<T> match;
    const detail::RouteTrie::Found found = trie_.find(request, match.params, match.allowed);
    if (!found.is_match) {
      if (match.allowed.contains(Method::get)) match.allowed.insert(Method::head);
      return match;
    }
    match.value = &values_[found.route];
    match.name = rules_.name(found.route);
    match.index = found.route;
    match.is_unmerged = found.is_unmerged;
    match.prefix_length = found.prefix_length;
    match.allowed = {};
    return match;
  }

  /// How many routes there are.
  std::size_t size() const noexcept { return values_.size(); }
  /// The name of the route with this number in the order of `add`. Valid like that of a match.
  std::string_view name(std::size_t index) const noexcept { return rules_.name(index); }
  /// Its rule, with the name.
  RouteRule rule(std::size_t index) const { return rules_.rule(index); }
  /// All rules in the order of `add`, each with a name. They are put together for the call: the router keeps them in less memory.
  std::vector<RouteRule> rules() const {
    std::vector<RouteRule> rules;
    rules.reserve(size());
    for (std::size_t i = 0; i < size(); ++i) rules.push_back(rule(i));
    return rules;
  }
  /// Whether a rule has `keep_slashes`: only then `RouteQuery::unmerged_path` is looked at.
  bool keeps_slashes() const noexcept { return trie_.keeps_slashes(); }
  /// For gw: reads the rules, which are those of `rules`, once more. What comes of it is not kept: a match needs little of it.
  std::vector<detail::RouteDetails> details(const std::vector<RouteRule>& rules) const {
    std::vector<detail::RouteDetails> details(rules.size());
    const std::vector<const PathRegex*> regexes = trie_.regexes(rules.size());
    std::size_t i = 0;
    const RegexCompiler compiled = [&](const std::string&) { return *regexes[i]; };
    for (; i < rules.size(); ++i) detail::read_rule(rules[i], compiled, details[i], [](const std::string&) {});
    return details;
  }

 private:
  template <class>
  friend class RouterBuilder;

  detail::RouteTrie trie_;
  detail::KeptRules rules_;
  std::vector<T> values_;
};

/// Collects routes and makes a router of them. One thread.
template <class T>
class RouterBuilder {
 public:
  /// What `build` returns.
  struct Built {
    Router<T> router;                    ///< empty if there is a problem
    std::vector<RouteProblem> problems;  ///< sorted by rule
  };

  RouterBuilder() = default;
  /// One that takes rules of the kind `regex`, too: `gw::RouterBuilder<int> builder(gw::compile_regex)`.
  explicit RouterBuilder(RegexCompiler compile_regex) : compile_regex_(std::move(compile_regex)) {}

  /// Makes room for `count` routes, so that a large router takes no more memory than it needs.
  void reserve(std::size_t count) {
    rules_.reserve(count);
    values_.reserve(count);
  }

  /// Adds a route. The order of adding decides nothing but `Match::index`. Nothing is checked yet.
  RouterBuilder& add(RouteRule rule, T value) {
    rules_.push_back(std::move(rule));
    values_.push_back(std::move(value));
    return *this;
  }

  /// Checks every rule and makes the router; the builder is empty afterwards.
  ///
  /// A rule without a name is called like its pattern. Where several would have the same name, their
  /// methods are put before it ("GET /users/{id}"), and if that is not enough, hosts and tests as well.
  ///
  /// Problems: patterns, hosts and tests that cannot match; names used twice; conflicts, that is
  /// rules with the same kind, pattern (parameters may have other names), tests, a host and a method
  /// in common (or both without methods); regexes also the same priority.
  Built build() {
    Built built;
    built.router.trie_ = detail::RouteCompiler(rules_, compile_regex_).compile(built.problems);
    if (built.problems.empty()) {
      built.router.rules_ = detail::KeptRules(std::move(rules_));
      built.router.values_ = std::move(values_);
    } else {
      built.router = {};
    }
    rules_.clear();
    values_.clear();
    return built;
  }

 private:
  RegexCompiler compile_regex_;
  std::vector<RouteRule> rules_;
  std::vector<T> values_;
};

}  // namespace v0
}  // namespace gw
