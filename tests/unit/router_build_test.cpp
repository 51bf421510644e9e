#include <gw/router.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gw::Method;
using gw::RouteRule;
using Kind = RouteRule::Kind;

/// "RULE: what" for each problem, or "RULE (OTHER): what".
std::vector<std::string> problems(const std::vector<RouteRule>& rules) {
  gw::RouterBuilder<int> builder;
  for (const RouteRule& rule : rules) builder.add(rule, 0);
  const auto built = builder.build();
  CHECK(built.router.size() == (built.problems.empty() ? rules.size() : 0));
  std::vector<std::string> lines;
  for (const gw::RouteProblem& p : built.problems)
    lines.push_back(std::to_string(p.rule) + (p.other ? " (" + std::to_string(*p.other) + "): " : ": ") + p.what);
  return lines;
}

std::vector<std::string> names(std::vector<RouteRule> rules) {
  gw::RouterBuilder<int> builder;
  for (const RouteRule& rule : rules) builder.add(rule, 0);
  const auto built = builder.build();
  for (const gw::RouteProblem& problem : built.problems) FAIL(problem.what);
  std::vector<std::string> all;
  for (const RouteRule& rule : built.router.rules()) all.push_back(rule.name);
  return all;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("router build: a pattern that cannot match is a problem") {
  struct Case {
    Kind kind;
    std::string pattern;
    std::string what;
  };
  const std::string tail = "(YAML needs quotes around a path with braces)";
  const Case cases[] = {
      {Kind::path, "", R"(path "" must start with "/")"},
      {Kind::prefix, "foo", R"(prefix "foo" must start with "/")"},
      {Kind::path, "/a?b=1", R"(path "/a?b=1" must not have a "?"; "query" tests parameters of the query)"},
      {Kind::path, "/a#b", R"(path "/a#b" must not have a "#"; "query" tests parameters of the query)"},
      {Kind::path, "/a b", R"(path "/a b" must be visible ASCII without "\"; write other characters as %XX, but no controls)"},
      {Kind::path, "/a%0", R"(path "/a%0" must be visible ASCII without "\"; write other characters as %XX, but no controls)"},
      {Kind::path, "/users/{id", R"(path "/users/{id" has a brace without its partner in "{id" )" + tail},
      {Kind::path, "/users/id}", R"(path "/users/id}" has a brace without its partner in "id}" )" + tail},
      {Kind::path, "/{a/b}", R"(path "/{a/b}" has a brace without its partner in "{a" )" + tail},
      {Kind::path, "/v{n}", R"(path "/v{n}" must have a parameter as a whole segment, as in "/{name}/", not "v{n}")"},
      {Kind::path, "/{a}{b}", R"(path "/{a}{b}" must have a parameter as a whole segment, as in "/{name}/", not "{a}{b}")"},
      {Kind::path, "/}{", R"(path "/}{" must have a parameter as a whole segment, as in "/{name}/", not "}{")"},
      {Kind::path, "/{}", R"(path "/{}" has a parameter without a name)"},
      {Kind::path, "/{1a}", R"(path "/{1a}" has a parameter named "1a"; names are letters, digits and "_", not a digit first)"},
      {Kind::path, "/{a-b}", R"(path "/{a-b}" has a parameter named "a-b"; names are letters, digits and "_", not a digit first)"},
      {Kind::path, "/{id}/x/{id}", R"(path "/{id}/x/{id}" has two parameters named "id")"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pattern);
    CHECK(problems({{.kind = c.kind, .pattern = c.pattern}}) == Lines{"0: " + c.what});
  }
}

TEST_CASE("router build: a pattern has at most 100 segments") {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "/a";
  CHECK(problems({{.pattern = pattern}, {.pattern = pattern + '/'}}).size() == 1);  // the same prefix twice
  CHECK(problems({{.kind = Kind::path, .pattern = pattern}}).empty());
  CHECK(problems({{.kind = Kind::path, .pattern = pattern + '/'}}).size() == 1);
  CHECK(problems({{.pattern = pattern + "/a"}}).at(0).ends_with("has more than 100 segments"));
}

TEST_CASE("router build: hosts are names or wildcards") {
  for (std::string host : {"a", "A.B.", "*.a", "_x.a-b.c1", "10.0.0.1", "[::1]", "[2001:DB8::1]", "localhost"}) {
    CAPTURE(host);
    CHECK(problems({{.hosts = {host}}}).empty());
  }
  for (std::string host : {"", "*", "*.", ".", "a..b", ".a", "a.*", "*a.b", "a.*.b", "*.*.a", "a b", "a/b",
                           "caf\xc3\xa9", "[", "[]", "[g::1]"}) {
    CAPTURE(host);
    CHECK(problems({{.hosts = {host}}}).size() == 1);
  }
  for (std::string host : {"a:80", "http://a", "[::1]:80"}) {
    CAPTURE(host);
    CHECK(problems({{.hosts = {host}}}) == Lines{"0: host \"" + host + "\" must not have a port or a scheme"});
  }
}

TEST_CASE("router build: tests that nothing could pass are problems") {
  CHECK(problems({{.headers = {{"a b", "1"}}}}) == Lines{"0: \"a b\" is not the name of a header"});
  CHECK(problems({{.headers = {{"", "1"}}}}) == Lines{"0: \"\" is not the name of a header"});
  CHECK(problems({{.headers = {{"a", "1\r\nb: 2"}}}}).size() == 1);
  CHECK(problems({{.query = {{"", "1"}}}}) == Lines{"0: a query test needs a name"});
}

TEST_CASE("router build: every problem is reported, sorted by rule") {
  CHECK(problems({
            {.name = "same", .pattern = "/a"},
            {.pattern = "b", .hosts = {"x:1", "*"}},
            {.name = "same", .pattern = "/c"},
            {.kind = Kind::prefix, .pattern = "/a/"},
        }) == Lines{
                  "1: prefix \"b\" must start with \"/\"",
                  "1: host \"x:1\" must not have a port or a scheme",
                  "1: host \"*\" must be a name like \"api.example.com\" or \"*.example.com\"; without hosts a route takes any",
                  "2 (0): another route is named \"same\" already",
                  "3 (0): route \"/a/\" conflicts with route \"same\": both take every method for the same host, path and tests",
              });
}

TEST_CASE("router build: rules that take the same requests conflict") {
  struct Case {
    RouteRule a, b;
    bool conflict;
  };
  const auto p = [](std::string pattern) { return RouteRule{.kind = Kind::path, .pattern = std::move(pattern)}; };
  const auto by = [&](gw::MethodSet methods) { return RouteRule{.kind = Kind::path, .pattern = "/x", .methods = methods}; };
  const auto on = [&](std::vector<std::string> hosts) { return RouteRule{.hosts = std::move(hosts)}; };
  const auto headers = [&](std::vector<gw::FieldTest> tests) { return RouteRule{.headers = std::move(tests)}; };
  const auto query = [&](std::vector<gw::FieldTest> tests) { return RouteRule{.query = std::move(tests)}; };
  const Case cases[] = {
      {p("/a"), p("/a"), true},
      {p("/a/{x}"), p("/a/{y}"), true},
      {p("/a/{x}/b"), p("/a/{y}/c"), false},
      {p("/a"), p("/%61"), true},
      {p("/a"), p("/b/../a"), true},
      {p("/a"), p("/a/"), false},
      {p("/a"), {.pattern = "/a"}, false},
      {{.pattern = "/a"}, {.pattern = "/a/"}, true},
      {{.pattern = "/a"}, {.pattern = "/a/{x}"}, false},
      {by({Method::get}), by({Method::get, Method::put}), true},
      {by({Method::get}), by({Method::put}), false},
      {by({Method::get}), by({Method::head}), false},
      {by({Method::get}), by({}), false},
      {on({"a"}), on({"A."}), true},
      {on({"a", "b"}), on({"c", "b"}), true},
      {on({"a"}), on({"*.a"}), false},
      {on({"*.a"}), on({"*.A"}), true},
      {on({"a"}), on({}), false},
      {headers({{"a", "1"}}), headers({{"A", "1"}}), true},
      {headers({{"a", "1"}, {"b", "2"}}), headers({{"b", "2"}, {"a", "1"}, {"a", "1"}}), true},
      {headers({{"a", "1"}}), headers({{"a", "2"}}), false},
      {headers({{"a", "1"}}), headers({{"a", "*"}}), false},
      {query({{"a", "1"}}), query({{"a", "1"}}), true},
      {query({{"a", "1"}}), query({{"A", "1"}}), false},
      {query({{"a", "1"}}), headers({{"a", "1"}}), false},
  };
  for (Case c : cases) {
    CAPTURE(c.a.pattern);
    CAPTURE(c.b.pattern);
    c.a.name = "first", c.b.name = "second";
    for (const auto& rules : {std::vector{c.a, c.b}, std::vector{c.b, c.a}}) {
      const Lines lines = problems(rules);
      REQUIRE(lines.size() == (c.conflict ? 1 : 0));
      if (!c.conflict) continue;
      CHECK(lines[0].starts_with("1 (0): route \"" + rules[1].name + "\" conflicts with route \"" + rules[0].name + "\": both take "));
    }
  }
}

TEST_CASE("router build: a conflict says which methods, once, and each other rule is named") {
  const RouteRule a{.name = "a", .hosts = {"x", "y"}, .methods = {Method::get, Method::put, Method::post}};
  const RouteRule b{.name = "b", .hosts = {"y", "x"}, .methods = {Method::post, Method::put}};
  const RouteRule c{.name = "c", .hosts = {"x"}, .methods = {Method::get, Method::patch}};
  CHECK(problems({a, b, c}) == Lines{
                                   R"(1 (0): route "b" conflicts with route "a": both take POST,PUT for the same host, path and tests)",
                                   R"(2 (0): route "c" conflicts with route "a": both take GET for the same host, path and tests)",
                               });
}

TEST_CASE("router build: the same rule twice is one problem") {
  const RouteRule rule{.pattern = "/foo", .methods = {Method::get}};
  CHECK(problems({rule, rule}).size() == 1);
  CHECK(problems({rule, rule, rule}).size() == 2);
}

TEST_CASE("router build: a rule without a name is called like its pattern, and more only if that is taken") {
  const RouteRule get{.kind = Kind::path, .pattern = "/users/{id}", .methods = {Method::get}};
  const RouteRule write{.kind = Kind::path, .pattern = "/users/{id}", .methods = {Method::put, Method::delete_}};
  const RouteRule on_host{.pattern = "/", .hosts = {"b.example", "a.example"}};
  const RouteRule tested{.pattern = "/", .headers = {{"X-V", "2"}}, .query = {{"debug", "*"}}};
  CHECK(names({get}) == Lines{"/users/{id}"});
  CHECK(names({{.pattern = "/foo/"}}) == Lines{"/foo/"});
  CHECK(names({get, write}) == Lines{"GET /users/{id}", "PUT,DELETE /users/{id}"});
  CHECK(names({{.pattern = "/"}, on_host, tested}) == Lines{"/*", "a.example,b.example/*", "/* x-v: 2 ?debug=*"});
  CHECK(names({{.pattern = "/a"}, {.kind = Kind::path, .pattern = "/a"}, {.pattern = "/b"}}) == Lines{"/a/*", "/a", "/b"});
  CHECK(names({{.name = "/foo", .pattern = "/bar"}, {.pattern = "/foo"}}) == Lines{"/foo", "/foo/*"});
}

TEST_CASE("router build: default names do not depend on the order of adding") {
  std::vector<RouteRule> rules{
      {.pattern = "/"}, {.pattern = "/", .hosts = {"a"}}, {.pattern = "/", .methods = {Method::get}}, {.kind = Kind::path, .pattern = "/"}};
  Lines expected = names(rules);
  std::sort(expected.begin(), expected.end());
  for (int i = 0; i < 4; ++i) {
    std::rotate(rules.begin(), rules.begin() + 1, rules.end());
    Lines all = names(rules);
    std::sort(all.begin(), all.end());
    CHECK(all == expected);
  }
}
