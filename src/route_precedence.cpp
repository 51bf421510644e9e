#include "route_precedence.hpp"

#include <gw/detail/route_pattern.hpp>
#include <gw/regex.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace {

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

// Whether a router with this rule alone takes the request.
bool takes(RouteRule rule, const RouteQuery& request) {
  rule.name = "it";
  RouterBuilder<int> builder(compile_regex);
  builder.add(std::move(rule), 0);
  return static_cast<bool>(builder.build().router.match(request));
}

// A rule that takes everything.
RouteRule everything() { return {.kind = RouteRule::Kind::prefix, .pattern = "/"}; }

std::string kind_of(const RouteRule& rule) {
  return rule.kind == RouteRule::Kind::path ? "path " : rule.kind == RouteRule::Kind::prefix ? "prefix " : "regex ";
}

std::string one_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string names_of(MethodSet methods) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < detail::method_names.size(); ++i)
    if (methods.contains(static_cast<Method>(i))) names.emplace_back(detail::method_names[i]);
  return one_of(names);
}

std::string wanted(const FieldTest& test) { return test.value == "*" ? "it must be there" : "it must be " + quoted(test.value); }

// How exactly a rule says the host: 0 any, then wildcards by length, then exact.
std::size_t host_rank(const RouteRule& rule, const RouteQuery& request) {
  constexpr std::size_t exact = 1000;
  std::size_t best = 0;
  for (const std::string& host : rule.hosts) {
    RouteRule one = everything();
    one.hosts = {host};
    if (takes(one, request)) best = std::max(best, host.starts_with("*.") ? std::min(host.size(), exact - 1) : exact);
  }
  return best;
}

// 3: lists the method itself; 2: lists GET, which answers HEAD; 1: no methods.
int method_rank(const RouteRule& rule, Method method) {
  if (rule.methods.empty()) return 1;
  return rule.methods.contains(method) ? 3 : 2;
}

// The segments of a pattern; "" is a parameter.
std::vector<std::string> segments_of(const RouteRule& rule) {
  std::vector<std::string> segments;
  detail::read_pattern(rule, [](const std::string&) {}, [&](std::string_view text, bool is_parameter) {
    // A literal may be empty, too: "/foo/" as a path.
    segments.push_back(is_parameter ? std::string() : '/' + std::string(text));
  });
  return segments;
}

// Below 0 if `a` is preferred, by the segments from the left.
int compare_paths(const RouteRule& a, const RouteRule& b) {
  const bool is_left_regex = a.kind == RouteRule::Kind::regex, is_right_regex = b.kind == RouteRule::Kind::regex;
  if (is_left_regex || is_right_regex) return static_cast<int>(is_left_regex) - static_cast<int>(is_right_regex);
  const std::vector<std::string> left = segments_of(a), right = segments_of(b);
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i)
    if (left[i].empty() != right[i].empty()) return left[i].empty() ? 1 : -1;
  if (left.size() != right.size()) return left.size() > right.size() ? -1 : 1;
  if (a.kind != b.kind) return a.kind == RouteRule::Kind::path ? -1 : 1;
  return 0;
}

}  // namespace

RouteReason why_not(const RouteRule& rule, const RouteQuery& request) {
  if (!rule.hosts.empty()) {
    RouteRule test = everything();
    test.hosts = rule.hosts;
    if (!takes(test, request)) return {"host", "the host is " + quoted(request.host) + ", not " + one_of(rule.hosts)};
  }
  RouteRule path = everything();
  path.kind = rule.kind;
  path.pattern = rule.pattern;
  path.keep_slashes = rule.keep_slashes;
  if (!takes(path, request)) return {"path", kind_of(rule) + rule.pattern + " does not take " + std::string(request.path)};
  RouteRule methods = everything();
  methods.methods = rule.methods;
  if (!takes(methods, request)) return {"method", "it takes " + names_of(rule.methods) + ", not " + std::string(to_string(request.method))};
  for (const FieldTest& header : rule.headers) {
    RouteRule test = everything();
    test.headers = {header};
    if (!takes(test, request)) return {"header " + header.name, wanted(header)};
  }
  for (const FieldTest& parameter : rule.query) {
    RouteRule test = everything();
    test.query = {parameter};
    if (!takes(test, request)) return {"query " + parameter.name, wanted(parameter)};
  }
  return {};
}

RouteReason why_preferred(const RouteRule& winner, const RouteRule& loser, const RouteQuery& request) {
  struct Step {
    const char* on;
    int order;  // below 0: in favour of the winner
    const char* why;
  };
  const auto more = [](std::size_t winners, std::size_t losers) { return winners > losers ? -1 : winners < losers ? 1 : 0; };
  const std::size_t headers = detail::canonical(winner.headers, true).size(), query = detail::canonical(winner.query, false).size();
  const Step steps[] = {
      {"host", more(host_rank(winner, request), host_rank(loser, request)), "its host is more exact"},
      {"path", compare_paths(winner, loser), "from the left, its path is more exact"},
      {"priority", more(static_cast<std::size_t>(winner.priority - std::min(winner.priority, loser.priority)),
                        static_cast<std::size_t>(loser.priority - std::min(winner.priority, loser.priority))), "its priority is higher"},
      {"methods", method_rank(loser, request.method) - method_rank(winner, request.method), "it lists the method"},
      {"headers", more(headers, detail::canonical(loser.headers, true).size()), "it tests more headers"},
      {"query", more(query, detail::canonical(loser.query, false).size()), "it tests more query parameters"},
      {"name", winner.name.compare(loser.name), "its name comes first"},
  };
  for (const Step& step : steps) {
    if (step.order > 0) return {};
    if (step.order < 0) return {std::string("precedence: ") + step.on, quoted(winner.name) + " is preferred: " + step.why};
  }
  return {};
}

}  // namespace v0
}  // namespace gw
