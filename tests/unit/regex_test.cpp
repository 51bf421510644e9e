#include <gw/regex.hpp>
#include <gw/router.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gw::Method;
using gw::RouteRule;
using Kind = RouteRule::Kind;
using Lines = std::vector<std::string>;

RouteRule regex(std::string pattern, int priority = 0) { return {.kind = Kind::regex, .pattern = std::move(pattern), .priority = priority}; }
RouteRule named(std::string name, RouteRule rule) { return rule.name = std::move(name), rule; }

gw::RouterBuilder<int>::Built build(const std::vector<RouteRule>& rules, gw::RegexCompiler compile = gw::compile_regex) {
  gw::RouterBuilder<int> builder(std::move(compile));
  for (const RouteRule& rule : rules) builder.add(rule, 0);
  return builder.build();
}

gw::Router<int> router(const std::vector<RouteRule>& rules) {
  auto built = build(rules);
  for (const gw::RouteProblem& problem : built.problems) FAIL(problem.what);
  return std::move(built.router);
}

Lines problems(const std::vector<RouteRule>& rules) {
  Lines lines;
  for (const gw::RouteProblem& problem : build(rules).problems) lines.push_back(problem.what);
  return lines;
}

std::string taken(const gw::Router<int>& router, const gw::RouteQuery& request) {
  const auto match = router.match(request);
  return match ? std::string(match.name) : "-";
}

}  // namespace

TEST_CASE("regex: a router without a compiler refuses regexes, and so does a gw without RE2") {
  const auto built = build({regex("/a")}, nullptr);
  REQUIRE(built.problems.size() == 1);
  CHECK(built.problems[0].what == "regex \"/a\" needs a router that was given a RegexCompiler");
  if (!gw::has_regex()) CHECK(problems({regex("/a")}) == Lines{"regex \"/a\" cannot be used: this gw was built without RE2"});
}

TEST_CASE("regex: priority is for regexes") {
  CHECK(problems({{.pattern = "/a", .priority = 1}}) == Lines{"priority is for a regex; which path or prefix wins follows from the pattern"});
  CHECK(problems({{.kind = Kind::path, .pattern = "/a", .priority = 0}}).empty());
}

TEST_CASE("regex: it takes the whole path" * doctest::skip(!gw::has_regex())) {
  struct Case {
    std::string pattern;
    std::string_view path;
    bool matches;
  };
  const Case cases[] = {
      {"/v[0-9]+/.*", "/v12/x/y", true}, {"/v[0-9]+/.*", "/v/x", false},    {"/v[0-9]+", "/v1/x", false}, {"/x", "/v1/x", false},
      {"^/x$", "/x", true},              {"/a|/b", "/b", true},             {"/a|/b", "/ab", false},      {"/a|/ab", "/ab", true},
      {"(?i)/Users", "/uSERS", true},    {"/a\\.b", "/a.b", true},          {"/a\\.b", "/axb", false},    {".*", "/", true},
      {"[^x]*", "/a%2Fb", true},         {"/caf%C3%A9", "/caf%C3%A9", true}, {"/.*", "", false},           {".*", "*", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pattern);
    CAPTURE(c.path);
    CHECK(static_cast<bool>(router({regex(c.pattern)}).match({.path = c.path})) == c.matches);
  }
}

TEST_CASE("regex: named groups are parameters and views into the path" * doctest::skip(!gw::has_regex())) {
  const auto r = router({regex("/(?P<kind>users|groups)/(\\d+)(?P<more>/.*)?(?P<none>x)?")});
  const std::string path = "/groups/7/a%20b";
  auto match = r.match({.path = path});
  REQUIRE(match);
  REQUIRE(match.params.size() == 3);
  CHECK(match.params.at(0).name == "kind");
  CHECK(match.params["kind"] == "groups");
  CHECK(match.params["kind"].data() == path.data() + 1);
  CHECK(match.params.decode("more") == "/a b");
  CHECK(match.params["none"].empty());
  CHECK(match.params["none"].data() == path.data() + path.size());
  CHECK(match.prefix_length == path.size());
  match = r.match({.path = "/users/7"});
  CHECK(match.params["more"].empty());
}

TEST_CASE("regex: a regex that fails leaves no parameters to the next, nor does the tree before it" * doctest::skip(!gw::has_regex())) {
  const auto r = router({named("tree", {.kind = Kind::path, .pattern = "/{a}/{b}/x"}), named("first", regex("/(?P<p>a)/(?P<q>b)", 1)),
                         named("second", regex("/(?P<r>.*)"))});
  const auto match = r.match({.path = "/a/c"});
  CHECK(match.name == "second");
  REQUIRE(match.params.size() == 1);
  CHECK(match.params["r"] == "a/c");
}

TEST_CASE("regex: it comes after paths and prefixes of its host, before other hosts, and by priority" * doctest::skip(!gw::has_regex())) {
  std::vector<RouteRule> rules{
      named("path", {.kind = Kind::path, .pattern = "/a"}),
      named("prefix", {.pattern = "/b"}),
      named("low", regex("/.*", -1)),
      named("middle", regex("/[a-d].*")),
      named("high", regex("/c.*", 2)),
      named("on host", {.kind = Kind::regex, .pattern = "/h.*", .hosts = {"a.test"}}),
      named("post", {.kind = Kind::regex, .pattern = "/d.*", .methods = {Method::post}}),
      named("tested", {.kind = Kind::regex, .pattern = "/d.*", .query = {{"q", "1"}}}),
  };
  struct Case {
    gw::RouteQuery request;
    std::string_view route;
  };
  const Case cases[] = {
      {{.path = "/a"}, "path"},        {{.path = "/b/x"}, "prefix"},  {{.path = "/bx"}, "middle"},
      {{.path = "/c"}, "high"},        {{.path = "/x"}, "low"},       {{.host = "a.test", .path = "/h"}, "on host"},
      {{.path = "/h"}, "low"},         {{.host = "a.test", .path = "/a"}, "path"}, {{.path = "/d", .query = "q=1"}, "tested"},
      {{.method = Method::post, .path = "/d", .query = "q=1"}, "post"}, {{.path = "/d"}, "middle"},
  };
  for (int i = 0; i < 3; ++i) {
    std::rotate(rules.begin(), rules.begin() + 3, rules.end());
    const auto r = router(rules);
    for (const Case& c : cases) {
      CAPTURE(c.request.path);
      CHECK(taken(r, c.request) == c.route);
    }
  }
}

TEST_CASE("regex: methods work as for paths" * doctest::skip(!gw::has_regex())) {
  const auto r = router({named("get", {.kind = Kind::regex, .pattern = "/x.*", .methods = {Method::get}, .headers = {{"h", "*"}}}),
                         named("head", {.kind = Kind::regex, .pattern = "/x.*", .methods = {Method::head}}),
                         named("put", {.kind = Kind::regex, .pattern = "/y.*", .methods = {Method::get, Method::put}})});
  const gw::Headers headers{{"h", "1"}};
  CHECK(taken(r, {.method = Method::get, .path = "/x", .headers = &headers}) == "get");
  CHECK(taken(r, {.method = Method::head, .path = "/x", .headers = &headers}) == "head");
  CHECK(taken(r, {.method = Method::head, .path = "/y"}) == "put");
  const auto none = r.match({.method = Method::post, .path = "/y"});
  CHECK_FALSE(none);
  CHECK(none.allowed == gw::MethodSet{Method::get, Method::head, Method::put});
  CHECK(r.match({.method = Method::post, .path = "/z"}).allowed.empty());
}

TEST_CASE("regex: a pattern that is wrong says what and where" * doctest::skip(!gw::has_regex())) {
  const std::string wrong = " is no regular expression that gw takes: ";
  const Lines patterns{"", "users", "$", "/caf\xc3\xa9", "/a b", "/(?P<1x>.*)", "/(?P<x>a)(?P<x>b)", "/[z-a]"};
  const Lines all{
      "regex \"\" takes no path",
      "regex \"users\" takes no path: every path begins with \"/\"",
      "regex \"$\" takes no path: every path begins with \"/\"",
      "regex \"/caf\xc3\xa9\" must be visible ASCII, as paths are; write other characters as %XX",
      "regex \"/a b\" must be visible ASCII, as paths are; write other characters as %XX",
      "regex \"/(?P<1x>.*)\" has a group named \"1x\"; names are letters, digits and \"_\", not a digit first",
      "regex \"/(?P<x>a)(?P<x>b)\" has two groups named \"x\"",
      "regex \"/[z-a]\"" + wrong + "invalid character class range: z-a, at character 3",
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(patterns[i]);
    const Lines found = problems({regex(patterns[i])});
    REQUIRE(found.size() == 1);
    CHECK(found[0] == all[i]);
  }

  // What RE2 has no way to do, or not in its bounds.
  for (std::string pattern : {"/(", "/a)", "/[a", "/a**", "/\\1", "/(?=a)", "/\\C\\8", "/a{1001}", "/((a{100}){100}){100}"}) {
    CAPTURE(pattern);
    const Lines found = problems({regex(pattern)});
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with("regex \"" + pattern + "\"" + wrong));
  }
}

TEST_CASE("regex: sixteen groups are the most where one has a name" * doctest::skip(!gw::has_regex())) {
  std::string groups;
  for (int i = 0; i < 15; ++i) groups += "(a)";
  CHECK(problems({regex("/" + groups + "(?P<x>b)")}).empty());
  CHECK(problems({regex("/" + groups + "(a)(?P<x>b)")}) ==
        Lines{"regex \"/" + groups + "(a)(?P<x>b)\" has more than 16 groups; those without a name can be written (?:...)"});
  CHECK(problems({regex("/" + groups + "(a)(b)")}).empty());

  const auto r = router({regex("/" + groups + "(?P<x>b)")});
  CHECK(r.match({.path = "/aaaaaaaaaaaaaaab"}).params["x"] == "b");
}

TEST_CASE("regex: what takes long elsewhere takes time in proportion to the path" * doctest::skip(!gw::has_regex())) {
  const auto r = router({regex("/(a+)+b"), regex("/(?P<x>(a|aa)+)+c")});
  CHECK_FALSE(r.match({.path = '/' + std::string(8000, 'a')}));
}

TEST_CASE("regex: the same text at the same priority conflicts" * doctest::skip(!gw::has_regex())) {
  CHECK(problems({named("a", regex("/x.*")), named("b", regex("/x.*"))}) ==
        Lines{"route \"b\" conflicts with route \"a\": both take every method for the same host, path and tests"});
  CHECK(problems({named("a", regex("/x.*")), named("b", regex("/x.*", 1))}).empty());
  CHECK(problems({named("a", regex("/x.*")), named("b", regex("/x.+"))}).empty());
  CHECK(problems({named("a", regex("/x")), named("b", {.kind = Kind::path, .pattern = "/x"})}).empty());
}

TEST_CASE("regex: names without a name tell regexes from paths and from each other" * doctest::skip(!gw::has_regex())) {
  const auto r = router({{.kind = Kind::path, .pattern = "/x"}, regex("/x"), regex("/x", 3), regex("/y")});
  Lines names;
  for (const RouteRule& rule : r.rules()) names.push_back(rule.name);
  CHECK(names == Lines{"/x", "~/x", "~/x priority 3", "/y"});
}

TEST_CASE("regex: what every match begins with is known where it is plain" * doctest::skip(!gw::has_regex())) {
  const std::pair<std::string, std::string> cases[] = {
      {"/api/v[0-9]+", "/api/v"}, {"^/api/.*", "/api/"}, {"/a\\.b/c", "/a.b/c"}, {"/ab?c", "/a"},   {"/ab*", "/a"},
      {"/ab{2}", "/a"},           {"/ab+c", "/ab"},      {"/a|/b", ""},          {"/a(b|c)", ""},   {"(?i)/api", ""},
      {"/a/(?i)b", "/a/"},        {".*", ""},            {"/\\Qa\\E", "/"},      {"/a$", "/a"},     {"/\\d", "/"},
  };
  for (const auto& [pattern, prefix] : cases) {
    CAPTURE(pattern);
    CHECK(gw::compile_regex(pattern).literal_prefix == prefix);
  }
  for (const auto& [pattern, takes] : {std::pair<std::string, bool>{".*", true}, {"^/.*$", true}, {"/.*", true}, {"/.+", false}, {"/", false}})
    CHECK(gw::compile_regex(pattern).takes_every_path == takes);
}
