/// \file
/// The rules of docs/routing.md as plainly as they can be written: every rule is tried, and those
/// that hold are compared. Slow; the router has to give the same answers.
#pragma once

#include <gw/router.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace reference {

/// Why a rule takes a request; the least wins: host, regex after path, priority, segments, method, headers, query, name.
struct Claim {
  std::tuple<std::size_t, bool, int, std::string, int, std::size_t, std::size_t, std::string> rank;
  std::vector<std::string> parameters;
  std::size_t prefix_length = 0;
  bool takes_method = false;
};

inline std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> all;
  while (!path.empty()) {
    path.remove_prefix(1);
    all.emplace_back(path.substr(0, path.find('/')));
    path.remove_prefix(all.back().size());
  }
  return all;
}

/// The best host of the rule for `host`: 0 exact, then wildcards by length, 1000 any.
inline std::optional<std::size_t> host_rank(const gw::RouteRule& rule, std::string_view host) {
  if (rule.hosts.empty()) return 1000;
  std::optional<std::size_t> best;
  for (const std::string& pattern : rule.hosts) {
    std::optional<std::size_t> rank;
    if (pattern == host) rank = 0;
    const std::string_view suffix = std::string_view(pattern).substr(1);
    if (pattern.starts_with("*.") && host.size() > suffix.size() && host.ends_with(suffix)) rank = 500 - suffix.size();
    if (rank && (!best || *rank < *best)) best = rank;
  }
  return best;
}

/// What the groups of a regular expression take if it takes the whole path. Every group must have a name.
inline std::optional<std::vector<std::string>> groups(const std::string& pattern, std::string_view path) {
  static std::map<std::string, std::regex> compiled;
  auto found = compiled.find(pattern);
  if (found == compiled.end()) {
    static const std::regex name("\\?P<\\w+>");
    found = compiled.emplace(pattern, std::regex(std::regex_replace(pattern, name, ""))).first;
  }
  std::match_results<std::string_view::const_iterator> match;
  if (!std::regex_match(path.begin(), path.end(), match, found->second)) return std::nullopt;
  std::vector<std::string> values;
  for (std::size_t i = 1; i < match.size(); ++i) values.push_back(match[i].str());
  return values;
}

/// Whether the rule's path, prefix or regex takes the path. Fills the shape, the parameters and the length of the prefix.
inline bool takes_path(const gw::RouteRule& rule, std::string_view path, Claim& claim, std::string& shape) {
  if (rule.kind == gw::RouteRule::Kind::regex) {
    const auto values = groups(rule.pattern, path);
    if (!values) return false;
    claim.parameters = *values;
    claim.prefix_length = path.size();
    return true;
  }
  const bool is_prefix = rule.kind == gw::RouteRule::Kind::prefix;
  std::vector<std::string> wanted = segments(rule.pattern);
  const std::vector<std::string> given = segments(path);
  if (is_prefix && !wanted.empty() && wanted.back().empty()) wanted.pop_back();
  if (wanted.size() > given.size() || (!is_prefix && wanted.size() != given.size())) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool is_parameter = wanted[i].starts_with('{');
    if (is_parameter ? given[i].empty() : wanted[i] != given[i]) return false;
    if (is_parameter) claim.parameters.push_back(given[i]);
    shape += is_parameter ? '2' : '1';
    claim.prefix_length += 1 + given[i].size();
  }
  shape += is_prefix ? '4' : '3';
  return true;
}

/// Patterns and paths are normal, hosts plain, names of headers in lower case, the query without escapes.
inline std::optional<Claim> claim(const gw::RouteRule& rule, const gw::RouteQuery& request) {
  Claim claim;
  const auto host = host_rank(rule, request.host);
  if (!host) return std::nullopt;
  const bool is_unmerged = rule.keep_slashes && !request.unmerged_path.empty();
  std::string shape;
  if (!takes_path(rule, is_unmerged ? request.unmerged_path : request.path, claim, shape)) return std::nullopt;

  std::vector<std::string> pairs;
  for (std::size_t at = 0; at <= request.query.size();) {
    const std::size_t end = std::min(request.query.find('&', at), request.query.size());
    pairs.emplace_back(request.query.substr(at, end - at));
    at = end + 1;
  }
  const auto holds = [](const gw::FieldTest& test, const std::string& pair) {
    return pair == test.name + '=' + test.value || (test.value == "*" && pair.starts_with(test.name + '='));
  };
  for (const gw::FieldTest& test : rule.query)
    if (std::none_of(pairs.begin(), pairs.end(), [&](const std::string& pair) { return holds(test, pair); })) return std::nullopt;
  for (const gw::FieldTest& test : rule.headers) {
    const auto value = request.headers ? request.headers->get(test.name) : std::nullopt;
    if (!value || (test.value != "*" && *value != test.value)) return std::nullopt;
  }

  const bool by_get = request.method == gw::Method::head && rule.methods.contains(gw::Method::get);
  const int method = rule.methods.contains(request.method) ? 0 : by_get ? 1 : 2;
  claim.takes_method = rule.methods.empty() || method < 2;
  const bool is_regex = rule.kind == gw::RouteRule::Kind::regex;
  claim.rank = {*host, is_regex, -rule.priority, shape, method, 1000 - rule.headers.size(), 1000 - rule.query.size(), rule.name};
  return claim;
}

/// What the router has to answer.
struct Answer {
  const gw::RouteRule* rule = nullptr;
  Claim claim;
  gw::MethodSet allowed;
};

inline Answer match(const std::vector<gw::RouteRule>& rules, const gw::RouteQuery& request) {
  Answer answer;
  for (const gw::RouteRule& rule : rules) {
    const auto c = claim(rule, request);
    if (!c) continue;
    if (!c->takes_method) {
      answer.allowed = answer.allowed | rule.methods;
    } else if (!answer.rule || c->rank < answer.claim.rank) {
      answer.rule = &rule;
      answer.claim = *c;
    }
  }
  if (answer.rule) answer.allowed = {};
  if (answer.allowed.contains(gw::Method::get)) answer.allowed.insert(gw::Method::head);
  return answer;
}

/// Whether two rules with names of their own conflict.
inline bool conflict(const gw::RouteRule& a, const gw::RouteRule& b) {
  const auto shape = [](const gw::RouteRule& rule) {
    std::vector<std::string> all = segments(rule.pattern);
    if (rule.kind == gw::RouteRule::Kind::prefix && !all.empty() && all.back().empty()) all.pop_back();
    for (std::string& segment : all)
      if (segment.starts_with('{')) segment = "{}";
    return all;
  };
  const auto same = [](std::vector<gw::FieldTest> x, std::vector<gw::FieldTest> y) {
    std::sort(x.begin(), x.end());
    std::sort(y.begin(), y.end());
    return x == y;
  };
  bool share_host = a.hosts.empty() && b.hosts.empty();
  for (const std::string& host : a.hosts) share_host = share_host || std::count(b.hosts.begin(), b.hosts.end(), host) > 0;
  const bool is_regex = a.kind == gw::RouteRule::Kind::regex;
  const bool same_pattern = is_regex ? a.pattern == b.pattern && a.priority == b.priority : shape(a) == shape(b);
  return share_host && a.kind == b.kind && same_pattern && same(a.headers, b.headers) && same(a.query, b.query) &&
         (a.methods.intersects(b.methods) || (a.methods.empty() && b.methods.empty()));
}

}  // namespace reference
