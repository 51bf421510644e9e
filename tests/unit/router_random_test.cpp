#include <gw/path.hpp>
#include <gw/regex.hpp>
#include <gw/router.hpp>
#include <gw/shadowed_routes.hpp>

#include <support/route_reference.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gw::Method;
using gw::RouteRule;
using Kind = RouteRule::Kind;

template <class T>
const T& any_of(std::mt19937& random, const std::vector<T>& choices) {
  return choices[random() % choices.size()];
}

const std::vector<std::string> words{"a", "b", "a-word-of-many-letters-1", "a-word-of-many-letters-2"};
const std::vector<std::string> request_hosts{"", "a.test", "x.a.test", "y.x.a.test", "b.test", "test"};
const std::vector<std::string> rule_hosts{"a.test", "x.a.test", "*.a.test", "*.test", "*.x.a.test"};
const std::vector<Method> methods{Method::get, Method::head, Method::put, Method::post};
// Every group has a name, because the reference counts groups.
const std::vector<std::string> regexes{"/.*", "(?P<all>.*)", "/a/.*", "^/a/b/.*$", "/(?P<first>[^/]+)/b", "/a(?P<more>/b)?", "/[ab]/?", "/a//b",
                                       "/(?P<first>[^/]*)(?P<rest>/.*)?", "/a-word-of-many-letters-[0-9]/.*", "/b.*", "(?P<x>/a|/b)+"};

/// Each pattern is compiled once for all routers.
gw::PathRegex compile(const std::string& pattern) {
  static std::map<std::string, gw::PathRegex> compiled;
  auto found = compiled.find(pattern);
  if (found == compiled.end()) found = compiled.emplace(pattern, gw::compile_regex(pattern)).first;
  return found->second;
}

RouteRule random_rule(std::mt19937& random, std::size_t number) {
  RouteRule rule{.name = "r" + std::to_string(number), .kind = random() % 2 ? Kind::path : Kind::prefix, .pattern = ""};
  rule.keep_slashes = random() % 4 == 0;
  if (gw::has_regex() && random() % 4 == 0) {
    rule.kind = Kind::regex;
    rule.pattern = any_of(random, regexes);
    rule.priority = static_cast<int>(random() % 3) - 1;
  } else {
    for (unsigned depth = random() % 4, i = 0; i < depth; ++i) {
      if (rule.keep_slashes && random() % 4 == 0) rule.pattern += '/';
      rule.pattern += '/' + (random() % 2 ? any_of(random, words) : "{p" + std::to_string(i) + '}');
    }
    if (rule.pattern.empty() || random() % 5 == 0) rule.pattern += '/';
  }
  for (unsigned i = random() % 4; i > 1; --i) rule.hosts.push_back(any_of(random, rule_hosts));
  for (unsigned i = random() % 4; i > 1; --i) rule.methods.insert(any_of(random, methods));
  if (random() % 6 == 0) rule.headers.push_back({"h", random() % 2 ? "1" : "*"});
  if (random() % 8 == 0) rule.headers.push_back({"i", "1"});
  if (random() % 6 == 0) rule.query.push_back({"q", random() % 2 ? "1" : "*"});
  return rule;
}

/// A request's target, in all the spellings that the router looks at.
struct Target {
  std::string raw, merged_scratch, unmerged_scratch;
  std::string_view path, unmerged;

  explicit Target(std::mt19937& random) {
    for (unsigned depth = random() % 6; depth > 0; --depth) raw += (random() % 6 == 0 ? "//" : "/") + any_of(random, words);
    if (raw.empty() || random() % 5 == 0) raw += '/';
    path = *gw::normalize_path(raw, merged_scratch);
    unmerged = *gw::normalize_path(raw, unmerged_scratch, true);
    if (unmerged == path) unmerged = {};
  }
  Target(const Target&) = delete;
};

gw::RouterBuilder<int>::Built build(const std::vector<RouteRule>& rules) {
  gw::RouterBuilder<int> builder(compile);
  for (const RouteRule& rule : rules) builder.add(rule, 0);
  return builder.build();
}

/// Random rules without those that conflict with an earlier one, after comparing what the builder says of that.
std::vector<RouteRule> random_rules(std::mt19937& random, int& conflicts) {
  std::vector<RouteRule> all, good;
  std::set<std::size_t> reported, expected;
  for (std::size_t i = 0, count = 1 + random() % 16; i < count; ++i) {
    all.push_back(random_rule(random, i));
    const auto clashes = [&](const RouteRule& other) { return reference::conflict(all.back(), other); };
    if (std::any_of(all.begin(), all.end() - 1, clashes)) expected.insert(i);
    else good.push_back(all.back());
  }
  for (const gw::RouteProblem& problem : build(all).problems) reported.insert(problem.rule);
  REQUIRE(reported == expected);
  conflicts += static_cast<int>(expected.size());
  return good;
}

template <class Match>
std::string name_of(const Match& match) {
  return match ? std::string(match.name) : "none";
}

}  // namespace

TEST_CASE("router random: thousands of sets of routes are matched as the plain reference matches them") {
  std::mt19937 random(20240601);
  int matches = 0, conflicts = 0, not_allowed = 0, by_regex = 0, by_slashes = 0, shadowed = 0;
  for (int round = 0; round < 2500; ++round) {
    const std::vector<RouteRule> rules = random_rules(random, conflicts);
    std::vector<RouteRule> shuffled = rules;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    const auto built = build(rules), other = build(shuffled);
    REQUIRE(built.problems.empty());
    REQUIRE(built.router.rules() == rules);

    std::set<std::string> never, never_shuffled;
    for (const gw::ShadowedRoute& route : gw::shadowed_routes(built.router)) {
      never.insert(rules[route.rule].name);
      REQUIRE_FALSE(route.by.empty());
      REQUIRE(std::count(route.by.begin(), route.by.end(), route.rule) == 0);
    }
    for (const gw::ShadowedRoute& route : gw::shadowed_routes(other.router)) never_shuffled.insert(shuffled[route.rule].name);
    REQUIRE(never == never_shuffled);
    shadowed += static_cast<int>(never.size());

    for (int i = 0; i < 20; ++i) {
      const Target target(random);
      gw::Headers headers;
      if (random() % 2) headers.add("H", random() % 2 ? "1" : "2");
      if (random() % 2) headers.add("i", "1");
      const std::vector<std::string> queries{"", "q=1", "q=2", "x=1&q=1", "q=3&q=1"};
      const gw::RouteQuery request{any_of(random, methods), any_of(random, request_hosts), target.path, any_of(random, queries), &headers,
                                   target.unmerged};
      const reference::Answer answer = reference::match(rules, request);
      CAPTURE(round);
      CAPTURE(target.raw);
      CAPTURE(request.host);
      const auto match = built.router.match(request), same = other.router.match(request);
      REQUIRE(name_of(match) == (answer.rule ? answer.rule->name : "none"));
      REQUIRE(name_of(same) == name_of(match));
      REQUIRE(match.allowed == answer.allowed);
      REQUIRE(same.allowed == answer.allowed);
      not_allowed += !answer.allowed.empty();
      if (!match) continue;
      const RouteRule& rule = rules[match.index];
      REQUIRE(never.count(rule.name) == 0);
      ++matches;
      by_regex += rule.kind == Kind::regex;
      REQUIRE(match.is_unmerged == (rule.keep_slashes && !target.unmerged.empty()));
      by_slashes += match.is_unmerged;
      REQUIRE(match.prefix_length == answer.claim.prefix_length);
      const std::string_view path = match.is_unmerged ? target.unmerged : target.path;
      std::vector<std::string> values;
      for (const auto& parameter : match.params) {
        values.emplace_back(parameter.value);
        REQUIRE(parameter.value.data() >= path.data());
        REQUIRE(parameter.value.data() + parameter.value.size() <= path.data() + path.size());
      }
      REQUIRE(values == answer.claim.parameters);
    }
  }
  // What the generator is worth: all of it must occur often.
  CHECK(matches > 20000);
  CHECK(conflicts > 50);
  CHECK(not_allowed > 2500);
  CHECK(by_slashes > 500);
  CHECK(shadowed > 200);
  if (gw::has_regex()) CHECK(by_regex > 2500);
  MESSAGE(matches << " matches, " << conflicts << " conflicts, " << not_allowed << " not allowed, " << by_regex << " by regex, " << by_slashes
                  << " by kept slashes, " << shadowed << " shadowed");
}
