/// \file
/// Fuzz target: builds and asks routers (without regexes), all from the input.
#include "../support/route_reference.hpp"

#include <gw/path.hpp>
#include <gw/router.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Cuts the input into numbers and texts; at its end both are zero.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool is_empty() const { return rest_.empty(); }
  unsigned below(unsigned bound) {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte % bound;
  }
  /// Up to the next line end.
  std::string text() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string line(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return line;
  }
  template <class T, std::size_t N>
  const T& one_of(const T (&choices)[N]) {
    return choices[below(N)];
  }

 private:
  std::string_view rest_;
};

constexpr std::string_view words[] = {"a", "b", "{x}", "{y}", "", "a-word-of-many-letters"};
constexpr std::string_view hosts[] = {"a.test", "x.a.test", "*.a.test", "*.test"};
constexpr gw::Method methods[] = {gw::Method::get, gw::Method::head, gw::Method::put};

gw::RouteRule read_rule(Input& input, std::size_t number) {
  using Kind = gw::RouteRule::Kind;
  gw::RouteRule rule{.name = "r" + std::to_string(number), .kind = input.below(2) ? Kind::path : Kind::prefix, .pattern = ""};
  for (unsigned i = input.below(5); i > 0; --i) (rule.pattern += '/') += input.one_of(words);
  if (input.below(16) == 15) rule.pattern = input.text();
  rule.keep_slashes = input.below(4) == 3;
  if (input.below(2)) rule.hosts.emplace_back(input.one_of(hosts));
  if (input.below(2)) rule.methods.insert(input.one_of(methods));
  if (input.below(4) == 3) rule.headers.push_back({"h", input.below(2) ? "1" : "*"});
  if (input.below(4) == 3) rule.query.push_back({"q", input.below(2) ? "1" : "*"});
  return rule;
}

/// The router of those rules that build, and the rules; `backwards` adds them in the opposite order.
gw::Router<int> build(std::vector<gw::RouteRule>& rules, bool backwards) {
  while (true) {
    gw::RouterBuilder<int> builder;
    for (std::size_t i = 0; i < rules.size(); ++i) builder.add(rules[backwards ? rules.size() - 1 - i : i], 0);
    auto [router, problems] = builder.build();
    if (problems.empty()) return std::move(router);
    GW_ASSERT(!backwards);
    rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(problems.front().rule));
  }
}

/// The rules as the reference wants them.
std::vector<gw::RouteRule> normal(std::vector<gw::RouteRule> rules) {
  std::string scratch;
  for (gw::RouteRule& rule : rules) rule.pattern = std::string(*gw::normalize_path(rule.pattern, scratch, rule.keep_slashes));
  return rules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  std::vector<gw::RouteRule> rules;
  for (unsigned i = input.below(24); i > 0; --i) rules.push_back(read_rule(input, rules.size()));
  const gw::Router<int> router = build(rules, false), backwards = build(rules, true);
  const std::vector<gw::RouteRule> plain = normal(rules);

  while (!input.is_empty()) {
    gw::Headers headers;
    if (input.below(2)) headers.add("h", input.below(2) ? "1" : "2");
    const gw::Method method = input.one_of(methods);
    constexpr std::string_view request_hosts[] = {"", "a.test", "y.x.a.test", "x.a.test"}, queries[] = {"", "q=1", "q=2"};
    const std::string_view host = input.one_of(request_hosts), query = input.one_of(queries);
    std::string scratch, unmerged_scratch;
    const std::string raw = input.text();
    const auto path = gw::normalize_path(raw, scratch), unmerged = gw::normalize_path(raw, unmerged_scratch, true);
    GW_ASSERT(path.has_value() == unmerged.has_value());
    if (!path) continue;
    const gw::RouteQuery request{method, host, *path, query, &headers, *unmerged == *path ? std::string_view() : *unmerged};
    const auto match = router.match(request), other = backwards.match(request);
    const reference::Answer answer = reference::match(plain, request);
    GW_ASSERT(static_cast<bool>(match) == (answer.rule != nullptr) && static_cast<bool>(other) == static_cast<bool>(match));
    GW_ASSERT(match.allowed == answer.allowed && other.allowed == match.allowed);
    if (!match) continue;
    GW_ASSERT(match.name == answer.rule->name && other.name == match.name);
    GW_ASSERT(match.prefix_length == answer.claim.prefix_length);
    GW_ASSERT(match.params.size() == answer.claim.parameters.size());
    for (std::size_t i = 0; i < match.params.size(); ++i) GW_ASSERT(match.params.at(i).value == answer.claim.parameters[i]);
  }
  return 0;
}
