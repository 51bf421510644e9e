/// \file
/// Level 2: which route a request takes. Std only, usable alone. The rules in plain words:
/// docs/routing.md.
#pragma once

#include <gw/detail/route_compiler.hpp>
#include <gw/detail/route_trie.hpp>
#include <gw/http.hpp>
#include <gw/params.hpp>
#include <gw/route.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// What a router found. Pointers and names are valid as long as the router, values of parameters
/// as long as the path that was matched: `RouteQuery::unmerged_path` if it is not empty and the rule
/// has `keep_slashes`, else `RouteQuery::path`.
template <class T>
struct Match {
  const T* value = nullptr;         ///< what was added with the route; null if no route takes the request
  const RouteRule* rule = nullptr;  ///< its rule, with a name; null if there is no route
  std::size_t index = 0;            ///< its number in the order of `add`
  Params params;                    ///< still percent-encoded
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
    match.rule = &rules_[found.route];
    match.index = found.route;
    match.prefix_length = found.prefix_length;
    match.allowed = {};
    return match;
  }

  /// The rules in the order of `add`, each with a name.
  const std::vector<RouteRule>& rules() const noexcept { return rules_; }
  /// Whether a rule has `keep_slashes`: only then `RouteQuery::unmerged_path` is looked at.
  bool keeps_slashes() const noexcept { return trie_.keeps_slashes(); }
  /// For gw: reads the rules once more, in the order of `add`. What comes of it is not kept: a match needs little of it.
  std::vector<detail::RouteDetails> details() const {
    std::vector<detail::RouteDetails> details(rules_.size());
    const std::vector<const PathRegex*> regexes = trie_.regexes(rules_.size());
    std::size_t i = 0;
    const RegexCompiler compiled = [&](const std::string&) { return *regexes[i]; };
    for (; i < rules_.size(); ++i) detail::read_rule(rules_[i], compiled, details[i], [](const std::string&) {});
    return details;
  }

 private:
  template <class>
  friend class RouterBuilder;

  detail::RouteTrie trie_;
  std::vector<RouteRule> rules_;
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
      built.router.rules_ = std::move(rules_);
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
