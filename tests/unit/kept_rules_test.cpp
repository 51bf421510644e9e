#include <gw/detail/kept_rules.hpp>
#include <gw/router.hpp>

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gw::Method;
using gw::RouteRule;
using gw::detail::KeptRules;
using Kind = RouteRule::Kind;

std::vector<RouteRule> all(const KeptRules& kept) {
  std::vector<RouteRule> rules;
  for (std::size_t i = 0; i < kept.size(); ++i) rules.push_back(kept.rule(i));
  return rules;
}

}  // namespace

TEST_CASE("kept rules: every part of a rule comes back, whatever its name is") {
  const std::vector<RouteRule> rules{
      {.name = "/users/{id}", .kind = Kind::path, .pattern = "/users/{id}"},
      {.name = "GET /users/{id}", .kind = Kind::path, .pattern = "/users/{id}", .methods = {Method::get}},
      {.name = "/users/{id}/", .kind = Kind::path, .pattern = "/users/{id}"},
      {.name = "user", .kind = Kind::path, .pattern = "/users/{id}", .methods = {Method::get, Method::put}},
      {.name = "u", .kind = Kind::prefix, .pattern = "/u"},
      {.name = "/u/*", .kind = Kind::prefix, .pattern = "/u"},
      {.name = "hosts", .pattern = "/", .hosts = {"api.example.com", "*.example.com"}},
      {.name = "the hosts the other way round", .pattern = "/", .hosts = {"*.example.com", "api.example.com"}},
      {.name = "tests", .pattern = "/", .headers = {{"X-B", "2"}, {"x-a", "*"}}, .query = {{"q", ""}, {"q", "1"}}},
      {.name = "v", .kind = Kind::regex, .pattern = "/v[0-9]+/.*", .priority = -7},
      {.name = "slashes", .kind = Kind::path, .pattern = "/a//b", .keep_slashes = true},
      {.name = std::string(3000, 'n'), .kind = Kind::path, .pattern = '/' + std::string(5000, 'p')},
      {.name = "/", .pattern = "/"},
  };
  const KeptRules kept(rules);
  REQUIRE(kept.size() == rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    CAPTURE(rules[i].name);
    CHECK(kept.name(i) == rules[i].name);
    CHECK(kept.rule(i) == rules[i]);
  }
}

TEST_CASE("kept rules: none") {
  CHECK(KeptRules().size() == 0);
  CHECK(KeptRules(std::vector<RouteRule>()).size() == 0);
}

TEST_CASE("kept rules: thousands of random rules come back") {
  std::mt19937 random(3);
  const auto text = [&](std::string_view begin) {
    std::string made(begin);
    for (unsigned i = random() % 5; i > 0; --i) made += static_cast<char>('a' + random() % 2);
    return made;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<RouteRule> rules(random() % 50);
    for (RouteRule& rule : rules) {
      rule.kind = static_cast<Kind>(random() % 3);
      rule.pattern = text("/");
      rule.name = random() % 3 ? rule.pattern : text("");
      if (random() % 4 == 0) rule.name = "GET " + rule.pattern;
      for (unsigned i = random() % 4; i > 1; --i) rule.hosts.push_back(text("h."));
      for (unsigned i = random() % 4; i > 1; --i) rule.methods.insert(static_cast<Method>(random() % 8));
      for (unsigned i = random() % 4; i > 2; --i) rule.headers.push_back({text("x-"), text("")});
      for (unsigned i = random() % 4; i > 2; --i) rule.query.push_back({text("q"), text("")});
      if (random() % 4 == 0) rule.priority = static_cast<int>(random() % 9) - 4;
      rule.keep_slashes = random() % 4 == 0;
    }
    REQUIRE(all(KeptRules(rules)) == rules);
  }
}

TEST_CASE("kept rules: a router gives its rules back, each with a name") {
  std::vector<RouteRule> rules{
      {.kind = Kind::path, .pattern = "/a/{x}", .methods = {Method::get}},
      {.kind = Kind::path, .pattern = "/a/{x}", .methods = {Method::put}},
      {.name = "all", .pattern = "/%61/"},
      {.pattern = "/b", .hosts = {"A.example"}},
  };
  gw::RouterBuilder<int> builder;
  for (const RouteRule& rule : rules) builder.add(rule, 0);
  const auto built = builder.build();
  REQUIRE(built.problems.empty());
  rules[0].name = "GET /a/{x}";
  rules[1].name = "PUT /a/{x}";
  rules[3].name = "/b";
  CHECK(built.router.rules() == rules);
  for (std::size_t i = 0; i < rules.size(); ++i) CHECK(built.router.name(i) == rules[i].name);
  const auto match = built.router.match({.method = Method::put, .path = "/a/7"});
  CHECK(match.name == "PUT /a/{x}");
  CHECK(match.name.data() == built.router.name(1).data());
}
