#include <gw/regex.hpp>
#include <gw/route_tree.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using gw::Method;
using gw::RouteRule;
using Kind = RouteRule::Kind;

gw::RouteTree tree(const std::vector<RouteRule>& rules) {
  gw::RouterBuilder<int> builder(gw::compile_regex);
  for (const RouteRule& rule : rules) builder.add(rule, 0);
  const auto built = builder.build();
  for (const gw::RouteProblem& problem : built.problems) FAIL(problem.what);
  return gw::route_tree(built.router);
}

/// Routes of every kind but regex.
std::vector<RouteRule> shop() {
  return {
      {.name = "rest", .pattern = "/"},
      {.name = "user", .kind = Kind::path, .pattern = "/users/{id}", .methods = {Method::get, Method::put}, .headers = {{"X-Version", "2"}},
       .query = {{"debug", "*"}}},
      {.name = "me", .kind = Kind::path, .pattern = "/users/me", .methods = {Method::get}},
      {.name = "photos", .pattern = "/users/{user}/photos", .keep_slashes = true},
      {.name = "users", .pattern = "/users"},
      {.name = "list", .kind = Kind::path, .pattern = "/users/"},
      {.name = "home", .kind = Kind::path, .pattern = "/"},
      {.name = "api", .pattern = "/", .hosts = {"api.test", "*.api.test"}},
      {.name = "wild", .pattern = "/v1/all", .hosts = {"*.test"}},
      {.name = "any user", .kind = Kind::path, .pattern = "/users/{name}"},
  };
}

}  // namespace

TEST_CASE("route tree: hosts, places and routes stand in the order in which they win") {
  std::vector<RouteRule> rules = shop();
  const std::string expected = R"(api.test
└─ /* any method  -> "api"
*.api.test
└─ /* any method  -> "api"
*.test
└─ /v1/all
   └─ /* any method  -> "wild"
any host
├─ /
│  └─ =  any method  -> "home"
├─ /users
│  ├─ /
│  │  └─ =  any method  -> "list"
│  ├─ /me
│  │  └─ =  GET  -> "me"
│  ├─ /{id}
│  │  ├─ =  GET,PUT  x-version: 2  ?debug=*  -> "user"
│  │  ├─ =  any method  -> "any user"
│  │  └─ /photos
│  │     └─ /* any method  keeps //  -> "photos"
│  └─ /* any method  -> "users"
└─ /* any method  -> "rest"
)";
  for (std::size_t i = 0; i < rules.size(); ++i) {
    std::rotate(rules.begin(), rules.begin() + 1, rules.end());
    CHECK(to_text(tree(rules)) == expected);
  }
}

TEST_CASE("route tree: it is a value whose numbers are those of the rules") {
  const gw::RouteTree t = tree(shop());
  CHECK(t.rules.size() == 10);
  REQUIRE(t.hosts.size() == 4);
  CHECK(t.hosts[0].name == "api.test");
  CHECK(t.hosts[3].name.empty());
  const gw::RouteTree::Node& root = t.hosts[3].root;
  CHECK(root.segment.empty());
  CHECK(root.prefix == std::vector<std::size_t>{0});
  REQUIRE(root.children.size() == 2);
  CHECK(root.children[0].segment.empty());
  CHECK(root.children[0].exact == std::vector<std::size_t>{6});
  CHECK(root.children[1].segment == "users");
  CHECK(root.children[1].children.back().exact == std::vector<std::size_t>{1, 9});
}

TEST_CASE("route tree: a router without routes has no lines") {
  CHECK(to_text(gw::route_tree(gw::Router<int>())).empty());
  CHECK(to_text(tree({{.pattern = "/"}})) == "any host\n└─ /* any method  -> \"/\"\n");
}

TEST_CASE("route tree: a hundred segments are one line, and names may be what they like") {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "/s" + std::to_string(i);
  CHECK(to_text(tree({{.name = "\"caf\xc3\xa9\"", .pattern = pattern}})) ==
        "any host\n└─ " + pattern + "\n   └─ /* any method  -> \"\"caf\xc3\xa9\"\"\n");
}

TEST_CASE("route tree: regexes come after the tree of their host" * doctest::skip(!gw::has_regex())) {
  CHECK(to_text(tree({
            {.name = "low", .kind = Kind::regex, .pattern = "/.*"},
            {.name = "high", .kind = Kind::regex, .pattern = "/v[0-9]+/.*", .methods = {Method::get}, .priority = 2},
            {.name = "a", .kind = Kind::path, .pattern = "/a"},
            {.name = "on host", .kind = Kind::regex, .pattern = "/b", .hosts = {"h.test"}},
        })) == R"(h.test
└─ ~  /b  any method  priority 0  -> "on host"
any host
├─ /a
│  └─ =  any method  -> "a"
├─ ~  /v[0-9]+/.*  GET  priority 2  -> "high"
└─ ~  /.*  any method  priority 0  -> "low"
)");
}
