/// \file
/// Level 2: reads a rule and checks its parts: pattern, hosts, tests. Std only.
#pragma once

#include <gw/path.hpp>
#include <gw/route.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// What of a rule is compared. Made by `read_rule`.
struct RouteDetails {
  std::vector<FieldTest> headers;  ///< canonical
  std::vector<FieldTest> query;    ///< canonical
  std::vector<std::string> parameters;
  /// The segments, each with its mark before it, without the names of parameters; of a regex its mark
  /// alone. Equal keys are the same place in the tree, or the list of regexes.
  std::string key;
  std::shared_ptr<const PathRegex> regex;  ///< null: it is none
};

/// What comes before a segment in a key. Segments are visible ASCII, so these make keys sort
/// segment by segment, ends before literals before parameters before regexes.
inline constexpr char literal_mark = '\1', parameter_mark = '\2', regex_mark = '\3';

/// A pattern may not be deeper, which bounds the stack that matching needs.
inline constexpr std::size_t max_segments = 100;

inline std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

/// Tests sorted and without repetition; equal vectors mean equal tests. Names of headers in lower case.
inline std::vector<FieldTest> canonical(std::vector<FieldTest> tests, bool is_header) {
  if (is_header)
    for (FieldTest& test : tests) test.name = lower_case(std::move(test.name));
  std::sort(tests.begin(), tests.end());
  tests.erase(std::unique(tests.begin(), tests.end()), tests.end());
  return tests;
}

/// "GET,PUT".
inline std::string method_list(MethodSet methods) {
  std::string text;
  for (std::size_t i = 0; i < method_names.size(); ++i)
    if (methods.contains(static_cast<Method>(i))) text += (text.empty() ? "" : ",") + std::string(method_names[i]);
  return text;
}

/// Letters, digits and "_", not a digit first.
inline bool is_identifier(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i], lower = static_cast<char>(c | 0x20);
    if (!(c == '_' || (lower >= 'a' && lower <= 'z') || (i > 0 && c >= '0' && c <= '9'))) return false;
  }
  return !text.empty();
}

/// What is wrong with a segment that has a brace, in one sentence, or nothing.
inline std::optional<std::string> parameter_problem(std::string_view segment) {
  const auto opening = std::count(segment.begin(), segment.end(), '{'), closing = std::count(segment.begin(), segment.end(), '}');
  if (opening != closing)
    return "has a brace without its partner in \"" + std::string(segment) + "\" (YAML needs quotes around a path with braces)";
  if (segment.front() != '{' || segment.back() != '}' || opening != 1)
    return "must have a parameter as a whole segment, as in \"/{name}/\", not \"" + std::string(segment) + '"';
  const std::string_view name = segment.substr(1, segment.size() - 2);
  if (name.empty()) return "has a parameter without a name";
  if (!is_identifier(name))
    return "has a parameter named \"" + std::string(name) + "\"; names are letters, digits and \"_\", not a digit first";
  return std::nullopt;
}

/// Calls `segment(text, is_parameter)` for each segment of the rule's pattern, normalised, from left
/// to right; a slash at the end of a prefix is none. `text` of a parameter is its name. What is wrong
/// goes to `report(sentence)`.
template <class Report, class Segment>
void read_pattern(const RouteRule& rule, const Report& report, const Segment& segment) {
  const bool is_prefix = rule.kind == RouteRule::Kind::prefix;
  const std::string subject = (is_prefix ? "prefix \"" : "path \"") + rule.pattern + "\" ";
  if (!rule.pattern.starts_with('/')) return report(subject + "must start with \"/\"");
  if (const std::size_t mark = rule.pattern.find_first_of("?#"); mark != std::string::npos)
    return report(subject + "must not have a \"" + rule.pattern[mark] + "\"; \"query\" tests parameters of the query");
  std::string scratch;
  const std::optional<std::string_view> normal = normalize_path(rule.pattern, scratch, rule.keep_slashes);
  if (!normal) return report(subject + "must be visible ASCII without \"\\\"; write other characters as %XX, but no controls");

  std::string_view rest = *normal;
  if (is_prefix && rest.ends_with('/')) rest.remove_suffix(1);
  if (static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '/')) > max_segments)
    return report(subject + "has more than " + std::to_string(max_segments) + " segments");
  std::set<std::string_view> names;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/', 1), rest.size());
    const std::string_view text = rest.substr(1, end - 1);
    rest.remove_prefix(end);
    if (text.find_first_of("{}") == std::string_view::npos) {
      segment(text, false);
      continue;
    }
    if (auto problem = parameter_problem(text)) return report(subject + *problem);
    const std::string_view name = text.substr(1, text.size() - 2);
    if (!names.insert(name).second) return report(subject + "has two parameters named \"" + std::string(name) + '"');
    segment(name, true);
  }
}

/// The host of a rule in lower case and without a dot at the end: "api.example.com", "*.example.com",
/// "[::1]". Reports and returns nothing if it is none.
template <class Report>
std::optional<std::string> read_host(std::string_view text, const Report& report) {
  const std::string subject = "host \"" + std::string(text) + "\" ";
  std::string host = lower_case(std::string(text));
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 4 &&
      host.find_first_not_of("0123456789abcdef:.", 1) == host.size() - 1)
    return host;
  if (host.find(':') != std::string::npos) return report(subject + "must not have a port or a scheme"), std::nullopt;
  if (host.ends_with('.')) host.pop_back();
  std::string_view name = host;
  if (name.starts_with("*.")) name.remove_prefix(2);
  bool is_name = name.size() <= 253 && !name.empty() && !name.starts_with('.') && !name.ends_with('.') && name.find("..") == name.npos;
  for (char c : name) is_name = is_name && (c == '.' || c == '-' || c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
  if (is_name) return host;
  report(subject + R"(must be a name like "api.example.com" or "*.example.com"; without hosts a route takes any)");
  return std::nullopt;
}

/// Reports tests that no request could pass.
template <class Report>
void check_tests(const RouteRule& rule, const Report& report) {
  for (const FieldTest& test : rule.headers) {
    if (!is_token(test.name))
      report("\"" + test.name + "\" is not the name of a header");
    else if (!is_field_value(test.value))
      report("no header " + test.name + " can have this value: control characters, or space at its end");
  }
  for (const FieldTest& test : rule.query)
    if (test.name.empty()) report("a query test needs a name");
}

/// Compiles the rule's regular expression. What is wrong goes to `report(sentence)`.
template <class Report>
void read_regex(const RouteRule& rule, const RegexCompiler& compile, PathRegex& regex, const Report& report) {
  const std::string subject = "regex \"" + rule.pattern + "\" ";
  if (!compile) return report(subject + "needs a router that was given a RegexCompiler");
  if (rule.pattern.empty()) return report(subject + "takes no path");
  for (char c : rule.pattern)
    if (c <= ' ' || c > '~') return report(subject + "must be visible ASCII, as paths are; write other characters as %XX");
  regex = compile(rule.pattern);
  if (!regex.mistake.empty()) return report(subject + regex.mistake);
  std::set<std::string_view> names;
  for (const std::string& name : regex.names)
    if (!names.insert(name).second) report(subject + "has two groups named \"" + name + '"');
    else if (!is_identifier(name)) report(subject + "has a group named \"" + name + "\"; names are letters, digits and \"_\", not a digit first");
}

/// Reads and checks one rule. What is wrong goes to `report(sentence)`; `details` is then incomplete.
template <class Report>
void read_rule(const RouteRule& rule, const RegexCompiler& compile, RouteDetails& details, const Report& report) {
  details.headers = canonical(rule.headers, true);
  details.query = canonical(rule.query, false);
  check_tests(rule, report);
  if (rule.kind == RouteRule::Kind::regex) {
    PathRegex regex;
    read_regex(rule, compile, regex, report);
    details.parameters = regex.names;
    details.regex = std::make_shared<const PathRegex>(std::move(regex));
    details.key = regex_mark;
  } else {
    if (rule.priority != 0) report("priority is for a regex; which path or prefix wins follows from the pattern");
    read_pattern(rule, report, [&](std::string_view segment, bool is_parameter) {
      if (is_parameter) details.parameters.emplace_back(segment);
      details.key += is_parameter ? parameter_mark : literal_mark;
      if (!is_parameter) details.key += segment;
    });
  }
  for (const std::string& host : rule.hosts) read_host(host, report);
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
