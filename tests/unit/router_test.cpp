#include <gw/router.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using gw::Method;
using gw::MethodSet;
using gw::RouteRule;
using Kind = RouteRule::Kind;

RouteRule path(std::string pattern) { return {.kind = Kind::path, .pattern = std::move(pattern)}; }
RouteRule prefix(std::string pattern) { return {.kind = Kind::prefix, .pattern = std::move(pattern)}; }
RouteRule named(std::string name, RouteRule rule) { return rule.name = std::move(name), rule; }
RouteRule on(std::vector<std::string> hosts, RouteRule rule) { return rule.hosts = std::move(hosts), rule; }
RouteRule by(MethodSet methods, RouteRule rule) { return rule.methods = methods, rule; }
RouteRule with_headers(std::vector<gw::FieldTest> tests, RouteRule rule) { return rule.headers = std::move(tests), rule; }
RouteRule with_query(std::vector<gw::FieldTest> tests, RouteRule rule) { return rule.query = std::move(tests), rule; }

using Built = gw::RouterBuilder<int>::Built;

Built build(const std::vector<RouteRule>& rules) {
  gw::RouterBuilder<int> builder;
  for (std::size_t i = 0; i < rules.size(); ++i) builder.add(rules[i], static_cast<int>(i));
  return builder.build();
}

gw::Router<int> router(const std::vector<RouteRule>& rules) {
  Built built = build(rules);
  for (const gw::RouteProblem& problem : built.problems) FAIL(problem.what);
  return std::move(built.router);
}

/// The name of the route that takes the request, or "-".
std::string taken(const gw::Router<int>& router, const gw::RouteQuery& request) {
  const auto match = router.match(request);
  return match ? std::string(match.name) : "-";
}

std::string names_of(MethodSet methods) {
  std::string text;
  for (std::size_t i = 0; i < gw::detail::method_names.size(); ++i)
    if (methods.contains(static_cast<Method>(i))) text.append(text.empty() ? "" : " ").append(gw::detail::method_names[i]);
  return text;
}

}  // namespace

TEST_CASE("router: an empty router matches nothing") {
  const gw::Router<int> none;
  const auto match = none.match({.host = "a.example", .path = "/"});
  CHECK_FALSE(match);
  CHECK(match.name.empty());
  CHECK(match.allowed.empty());
}

TEST_CASE("router: a prefix takes whole segments, a path the whole path") {
  struct Case {
    RouteRule rule;
    std::string_view path;
    bool matches;
  };
  const Case cases[] = {
      {prefix("/"), "/", true},
      {prefix("/"), "/a/b", true},
      {prefix("/foo"), "/foo", true},
      {prefix("/foo"), "/foo/", true},
      {prefix("/foo"), "/foo/x", true},
      {prefix("/foo"), "/foobar", false},
      {prefix("/foo"), "/fo", false},
      {prefix("/foo"), "/Foo", false},
      {prefix("/foo"), "/", false},
      {prefix("/foo/"), "/foo", true},
      {prefix("/foo/"), "/foo/x", true},
      {prefix("/foo/"), "/foobar", false},
      {prefix("/t/{id}"), "/t/7", true},
      {prefix("/t/{id}"), "/t/7/x", true},
      {prefix("/t/{id}"), "/t/", false},
      {prefix("/t/{id}"), "/t", false},
      {path("/"), "/", true},
      {path("/"), "/a", false},
      {path("/foo"), "/foo", true},
      {path("/foo"), "/foo/", false},
      {path("/foo/"), "/foo/", true},
      {path("/foo/"), "/foo", false},
      {path("/foo/"), "/foo/x", false},
      {path("/users/{id}"), "/users/7", true},
      {path("/users/{id}"), "/users/a%2Fb", true},
      {path("/users/{id}"), "/users/", false},
      {path("/users/{id}"), "/users/7/", false},
      {path("/users/{id}"), "/users/7/x", false},
      {path("/users/{id}/"), "/users/7/", true},
      {path("/{a}/{b}"), "/x/y", true},
      {path("/{a}/{b}"), "/x//", false},
      // Patterns are normalised like paths.
      {path("/%66oo/./x/../bar%2fbaz"), "/foo/bar%2Fbaz", true},
      {prefix("//foo//bar/"), "/foo/bar", true},
      // Segments of every size that the table of children treats differently.
      {path("/12345678"), "/12345678", true},
      {path("/12345678"), "/12345679", false},
      {path("/1234"), "/1235", false},
      {path("/abcdefghijklmnopqrst"), "/abcdefghijklmnopqrst", true},
      {path("/abcdefghijklmnopqrst"), "/abcdefghijxlmnopqrst", false},
      // Not a path.
      {prefix("/"), "", false},
      {prefix("/"), "*", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.rule.pattern);
    CAPTURE(c.path);
    CHECK(static_cast<bool>(router({c.rule}).match({.path = c.path})) == c.matches);
  }
}

TEST_CASE("router: the first difference in precedence wins, whatever the order of adding") {
  struct Case {
    std::string_view why;
    RouteRule winner, loser;
    gw::RouteQuery request;
  };
  const gw::Headers both{{"a", "1"}, {"b", "1"}};
  const auto x = [](std::string pattern) { return path(std::move(pattern)); };
  const std::vector<gw::FieldTest> a{{"a", "1"}}, ab{{"a", "1"}, {"b", "1"}};
  const Case cases[] = {
      // 1. Host.
      {"exact host before wildcard", on({"a.b.c"}, prefix("/")), on({"*.b.c"}, x("/x")), {.host = "a.b.c", .path = "/x"}},
      {"longer wildcard before shorter", on({"*.b.c"}, prefix("/")), on({"*.c"}, x("/x")), {.host = "a.b.c", .path = "/x"}},
      {"wildcard before any", on({"*.c"}, prefix("/")), x("/x"), {.host = "a.b.c", .path = "/x"}},
      {"host before all else", on({"a"}, prefix("/")), with_query(ab, with_headers(ab, by({Method::get}, x("/x")))),
       {.host = "a", .path = "/x", .query = "a=1&b=1", .headers = &both}},
      // 2. Path.
      {"literal before parameter", x("/a"), x("/{p}"), {.path = "/a"}},
      {"the leftmost segment counts first", x("/a/{p}"), x("/{p}/b"), {.path = "/a/b"}},
      {"a literal prefix before a longer parameter", prefix("/a"), x("/{p}/b"), {.path = "/a/b"}},
      {"more segments", prefix("/a/b"), prefix("/a"), {.path = "/a/b/c"}},
      {"more segments with parameters", prefix("/a/{p}"), prefix("/a"), {.path = "/a/b/c"}},
      {"exact end before prefix", x("/a"), prefix("/a"), {.path = "/a"}},
      {"exact slash before prefix", x("/a/"), prefix("/a"), {.path = "/a/"}},
      {"path before methods, headers and query", x("/a"), with_query(ab, with_headers(ab, by({Method::get}, prefix("/a")))),
       {.path = "/a", .query = "a=1&b=1", .headers = &both}},
      // 3. Methods.
      {"has methods", by({Method::get}, x("/a")), x("/a"), {.path = "/a"}},
      {"methods before headers", by({Method::get}, x("/a")), with_headers(ab, x("/a")), {.path = "/a", .headers = &both}},
      {"HEAD itself before GET that answers it", by({Method::head}, x("/a")), with_headers(ab, by({Method::get}, x("/a"))),
       {.method = Method::head, .path = "/a", .headers = &both}},
      {"GET that answers HEAD before any method", by({Method::get}, x("/a")), x("/a"), {.method = Method::head, .path = "/a"}},
      // 4. Headers.
      {"more headers", with_headers(ab, x("/a")), with_headers(a, x("/a")), {.path = "/a", .headers = &both}},
      {"headers before query", with_headers(a, x("/a")), with_query(ab, x("/a")), {.path = "/a", .query = "a=1&b=1", .headers = &both}},
      // 5. Query.
      {"more query", with_query(ab, x("/a")), with_query(a, x("/a")), {.path = "/a", .query = "a=1&b=1"}},
      // 6. Name: "loser" is less than "winner", so names are set below.
  };
  for (const Case& c : cases) {
    CAPTURE(c.why);
    CHECK(taken(router({named("winner", c.winner), named("loser", c.loser)}), c.request) == "winner");
    CHECK(taken(router({named("loser", c.loser), named("winner", c.winner)}), c.request) == "winner");
    CHECK(taken(router({named("loser", c.loser)}), c.request) == "loser");
  }
}

TEST_CASE("router: with all else equal the name decides") {
  const gw::Headers headers{{"a", "1"}, {"b", "1"}};
  const RouteRule first = named("1", with_headers({{"b", "1"}}, path("/"))), second = named("2", with_headers({{"a", "1"}}, path("/")));
  CHECK(taken(router({first, second}), {.path = "/", .headers = &headers}) == "1");
  CHECK(taken(router({second, first}), {.path = "/", .headers = &headers}) == "1");
}

TEST_CASE("router: only routes whose every test holds compete") {
  const auto r = router({
      named("host", on({"a.example"}, path("/only"))),
      named("wildcard", on({"*.example"}, by({Method::put}, prefix("/")))),
      named("any", prefix("/")),
  });
  CHECK(taken(r, {.host = "a.example", .path = "/only"}) == "host");
  CHECK(taken(r, {.method = Method::put, .host = "a.example", .path = "/x"}) == "wildcard");
  CHECK(taken(r, {.host = "a.example", .path = "/x"}) == "any");
}

TEST_CASE("router: a dead end goes back to the nearest alternative, and forgets its parameters") {
  const auto r = router({
      named("deep", path("/a/b/{x}/c")),
      named("parameter", path("/a/{y}/d/e")),
      named("two", path("/{p}/{q}/d/{r}")),
      named("rest", prefix("/a/b")),
      named("fallback", prefix("/{z}")),
  });
  struct Case {
    std::string_view path, route, parameters;
  };
  const Case cases[] = {
      {"/a/b/d/c", "deep", "x=d "},    {"/a/b/d/e", "rest", ""},          {"/a/k/d/e", "parameter", "y=k "},
      {"/a/k/d/f", "two", "p=a q=k r=f "}, {"/k/b/d/e", "two", "p=k q=b r=e "}, {"/a/k/x", "fallback", "z=a "},
      {"/a", "fallback", "z=a "},      {"/", "-", ""},                    {"/a/b/d/c/x", "rest", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.path);
    const auto match = r.match({.path = c.path});
    CHECK((match ? match.name : "-") == c.route);
    std::string parameters;
    for (const auto& [name, value] : match.params) parameters += std::string(name) + '=' + std::string(value) + ' ';
    CHECK(parameters == c.parameters);
  }
}

TEST_CASE("router: parameters are views into the path, with the names of the matched route") {
  const auto r = router({path("/users/{id}/posts/{post}"), path("/users/{name}/photo")});
  const std::string request = "/users/J%C3%BCrgen%2F7/photo";
  const auto match = r.match({.path = request});
  REQUIRE(match);
  CHECK(match.params.size() == 1);
  CHECK(match.params["name"] == "J%C3%BCrgen%2F7");
  CHECK(match.params["name"].data() == request.data() + 7);
  CHECK(match.params.decode("name") == "J\xc3\xbcrgen/7");
  CHECK(match.params["id"].empty());
  CHECK_FALSE(match.params.get("id"));
  CHECK(match.params.at(0).name == "name");

  gw::Params copy = match.params;
  copy.borrow_value(0, "decoded");
  CHECK(copy["name"] == "decoded");
  CHECK(match.params["name"] == "J%C3%BCrgen%2F7");
}

TEST_CASE("router: more than eight parameters spill, also when walked back") {
  std::string deep, deeper, request;
  for (int i = 0; i < 12; ++i) {
    deep += "/{p" + std::to_string(i) + '}';
    request += '/' + std::to_string(i);
  }
  deeper = deep + "/{last}/no";
  const auto r = router({path(deep + "/{other}/yes"), path(deeper), prefix("/{first}")});
  const std::string yes = request + "/x/yes", maybe = request + "/x/maybe";
  auto match = r.match({.path = yes});
  REQUIRE(match.params.size() == 13);
  for (int i = 0; i < 12; ++i) CHECK(match.params["p" + std::to_string(i)] == std::to_string(i));
  CHECK(match.params["other"] == "x");
  match = r.match({.path = maybe});
  REQUIRE(match.params.size() == 1);
  CHECK(match.params["first"] == "0");
  CHECK(match.prefix_length == 2);
}

TEST_CASE("router: the matched prefix ends where the rest begins") {
  struct Case {
    RouteRule rule;
    std::string_view path;
    std::size_t length;
  };
  const Case cases[] = {
      {prefix("/"), "/", 0},          {prefix("/"), "/foo", 0},        {prefix("/foo"), "/foo", 4},      {prefix("/foo"), "/foo/", 4},
      {prefix("/foo/"), "/foo/x", 4}, {prefix("/{a}/b"), "/xyz/b/c", 6}, {path("/foo/{a}"), "/foo/bar", 8}, {path("/"), "/", 1},
  };
  for (const Case& c : cases) {
    CAPTURE(c.rule.pattern);
    CAPTURE(c.path);
    const auto match = router({c.rule}).match({.path = c.path});
    REQUIRE(match);
    CHECK(match.prefix_length == c.length);
  }
}

TEST_CASE("router: hosts compare without case, port and last dot") {
  const auto r = router({
      named("exact", on({"API.example.com", "other.example.org."}, prefix("/"))),
      named("wildcard", on({"*.Example.com"}, prefix("/"))),
      named("longer", on({"*.eu.example.com"}, prefix("/"))),
      named("v6", on({"[2001:DB8::1]"}, prefix("/"))),
      named("v4", on({"127.0.0.1"}, prefix("/"))),
      named("long label", on({"a-name-of-more-than-eight.test"}, prefix("/"))),
  });
  struct Case {
    std::string_view host, route;
  };
  const std::string long_host = std::string(300, 'a') + ".example.com";
  const Case cases[] = {
      {"api.example.com", "exact"},
      {"API.EXAMPLE.COM", "exact"},
      {"api.example.com:8080", "exact"},
      {"api.example.com.", "exact"},
      {"api.example.com.:80", "exact"},
      {"api.example.com:", "exact"},
      {"other.example.org", "exact"},
      {"www.example.com", "wildcard"},
      {"a.b.c.example.com", "wildcard"},
      {"x.api.example.com", "wildcard"},
      {"a.eu.example.com", "longer"},
      {"a.b.eu.example.com:1", "longer"},
      {"eu.example.com", "wildcard"},
      {"example.com", "-"},
      {".example.com", "-"},
      {"notexample.com", "-"},
      {"xapi.example.co", "-"},
      {"com", "-"},
      {"", "-"},
      {":80", "-"},
      {".", "-"},
      {"[2001:db8::1]", "v6"},
      {"[2001:db8::1]:443", "v6"},
      {"[2001:db8::2]:443", "-"},
      {"127.0.0.1:80", "v4"},
      {"a-name-of-more-than-eight.test", "long label"},
      {"a-name-of-more-than-eighT.tess", "-"},
      {long_host, "-"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.host);
    CHECK(taken(r, {.host = c.host, .path = "/"}) == c.route);
  }
}

TEST_CASE("router: GET answers HEAD, and only the method's failure is told apart from no route") {
  const auto r = router({
      named("read", by({Method::get}, path("/x"))),
      named("write", by({Method::put, Method::delete_}, path("/x"))),
      named("post", by({Method::post}, prefix("/"))),
      named("by host", on({"a.example"}, by({Method::patch}, path("/x")))),
      named("by header", with_headers({{"h", "1"}}, by({Method::lock}, path("/x")))),
      named("head", by({Method::head}, path("/h"))),
      named("get", by({Method::get}, path("/h"))),
      named("all", on({"all.example"}, prefix("/"))),
  });
  const gw::Headers headers{{"H", "1"}};
  struct Case {
    gw::RouteQuery request;
    std::string_view route, allowed;
  };
  const Case cases[] = {
      {{.method = Method::get, .path = "/x"}, "read", ""},
      {{.method = Method::head, .path = "/x"}, "read", ""},
      {{.method = Method::delete_, .path = "/x"}, "write", ""},
      {{.method = Method::post, .path = "/x"}, "post", ""},
      {{.method = Method::options, .path = "/x"}, "-", "GET HEAD POST PUT DELETE"},
      {{.method = Method::options, .host = "a.example", .path = "/x"}, "-", "GET HEAD POST PUT DELETE PATCH"},
      {{.method = Method::options, .path = "/x", .headers = &headers}, "-", "GET HEAD POST PUT DELETE LOCK"},
      {{.method = Method::get, .path = "/y"}, "-", "POST"},
      {{.method = Method::head, .path = "/h"}, "head", ""},
      {{.method = Method::get, .path = "/h"}, "get", ""},
      {{.method = Method::trace, .host = "all.example", .path = "/x"}, "all", ""},
      {{.method = Method::get, .path = "*"}, "-", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.request.path);
    CAPTURE(to_string(c.request.method));
    const auto match = r.match(c.request);
    CHECK((match ? match.name : "-") == c.route);
    CHECK(names_of(match.allowed) == c.allowed);
  }
}

TEST_CASE("router: HEAD goes to a GET route of the same path even if one with headers is tried before") {
  const auto r = router({
      named("get with header", with_headers({{"h", "*"}}, by({Method::get}, path("/x")))),
      named("get", by({Method::get}, path("/x"))),
      named("any", path("/x")),
  });
  const gw::Headers headers{{"h", ""}};
  CHECK(taken(r, {.method = Method::head, .path = "/x"}) == "get");
  CHECK(taken(r, {.method = Method::head, .path = "/x", .headers = &headers}) == "get with header");
  CHECK(taken(r, {.method = Method::post, .path = "/x"}) == "any");
}

TEST_CASE("router: header tests compare names without case and values exactly") {
  struct Case {
    std::vector<gw::FieldTest> tests;
    gw::Headers headers;
    bool matches;
  };
  const Case cases[] = {
      {{{"X-Version", "2"}}, {{"x-version", "2"}}, true},
      {{{"x-version", "2"}}, {{"X-VERSION", "2"}}, true},
      {{{"x-version", "2"}}, {{"x-version", "3"}}, false},
      {{{"x-version", "a"}}, {{"x-version", "A"}}, false},
      {{{"x-version", "2"}}, {{"x-version", "2, 3"}}, false},
      {{{"x-version", "2"}}, {{"x-version", "1"}, {"x-version", "2"}}, true},
      {{{"x-version", "2"}}, {}, false},
      {{{"x-version", "*"}}, {{"x-version", "anything"}}, true},
      {{{"x-version", "*"}}, {{"x-version", ""}}, true},
      {{{"x-version", "*"}}, {{"x-versions", "1"}}, false},
      {{{"a", "1"}, {"b", "2"}}, {{"b", "2"}, {"a", "1"}}, true},
      {{{"a", "1"}, {"b", "2"}}, {{"a", "1"}}, false},
      {{{"a", ""}}, {{"a", ""}}, true},
      {{{"a", ""}}, {{"a", "x"}}, false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.tests[0].value);
    const auto r = router({with_headers(c.tests, prefix("/"))});
    CHECK(static_cast<bool>(r.match({.path = "/", .headers = &c.headers})) == c.matches);
  }
  CHECK_FALSE(router({with_headers({{"a", "*"}}, prefix("/"))}).match({.path = "/"}));
}

TEST_CASE("router: query tests look at decoded pairs") {
  struct Case {
    gw::FieldTest test;
    std::string_view query;
    bool matches;
  };
  const Case cases[] = {
      {{"debug", "1"}, "debug=1", true},        {{"debug", "1"}, "a=b&debug=1&c", true}, {{"debug", "1"}, "debug=0&debug=1", true},
      {{"debug", "1"}, "debug=10", false},      {{"debug", "1"}, "xdebug=1", false},     {{"debug", "1"}, "Debug=1", false},
      {{"debug", "1"}, "debug", false},         {{"debug", "1"}, "", false},             {{"debug", "1"}, "%64ebug=%31", true},
      {{"debug", "*"}, "debug", true},          {{"debug", "*"}, "debug=", true},        {{"debug", "*"}, "debug=x=y", true},
      {{"debug", "*"}, "bug&=debug", false},    {{"debug", ""}, "debug", true},          {{"debug", ""}, "debug=", true},
      {{"debug", ""}, "debug=1", false},        {{"a b", "c&d"}, "a%20b=c%26d", true},   {{"a b", "*"}, "a+b=1", false},
      {{"a", "x=y"}, "a=x=y", true},            {{"a", "100%"}, "a=100%", true},         {{"a", "1"}, "&&a=1&", true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.query);
    CAPTURE(c.test.value);
    CHECK(static_cast<bool>(router({with_query({c.test}, prefix("/"))}).match({.path = "/", .query = c.query})) == c.matches);
  }
}

TEST_CASE("router: values may be movable only, and many threads may match at once") {
  gw::RouterBuilder<std::unique_ptr<int>> builder;
  builder.add(prefix("/a"), std::make_unique<int>(1)).add(path("/{x}/b"), std::make_unique<int>(2));
  const auto built = builder.build();
  REQUIRE(built.problems.empty());
  std::vector<int> sums(4);
  std::vector<std::thread> threads;
  for (int& sum : sums)
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) sum += **built.router.match({.path = i % 2 ? "/a/b" : "/c/b"}).value;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(std::count(sums.begin(), sums.end(), 1500) == 4);
}

TEST_CASE("router: a route with keep_slashes sees the path with its slashes, the others the merged one") {
  const auto keep = [](RouteRule rule) { return rule.keep_slashes = true, rule; };
  const auto r = router({
      named("merged", path("/a/b")),
      named("kept", keep(path("/a//b"))),
      named("kept prefix", keep(prefix("/files"))),
      named("admin", path("/files/admin")),
      named("by host", on({"h.test"}, prefix("/files"))),
      named("kept parameter", keep(path("/{x}/"))),
      named("rest", prefix("/")),
  });
  CHECK(r.keeps_slashes());
  CHECK_FALSE(router({prefix("/")}).keeps_slashes());
  struct Case {
    std::string_view path, unmerged, host, route;
    std::size_t length;
  };
  const Case cases[] = {
      {"/a/b", "", "", "merged", 4},
      {"/a/b", "/a//b", "", "kept", 5},
      {"/a/b", "/a///b", "", "merged", 4},
      {"/a/b", "//a/b", "", "merged", 4},
      {"/files/x", "/files//x", "", "kept prefix", 6},
      {"/files/x", "", "", "kept prefix", 6},
      {"/files/x", "//files/x", "", "rest", 0},
      // The better place wins, whichever spelling leads there: "//" opens no way around a route.
      {"/files/admin", "/files//admin", "", "admin", 12},
      {"/files/x", "/files//x", "h.test", "by host", 6},
      {"/b/", "/b//", "", "rest", 0},
      {"/b/", "/b/", "", "kept parameter", 3},
  };
  for (const Case& c : cases) {
    CAPTURE(c.unmerged);
    CAPTURE(c.path);
    const auto match = r.match({.host = c.host, .path = c.path, .unmerged_path = c.unmerged});
    REQUIRE(match);
    CHECK(match.name == c.route);
    CHECK(match.prefix_length == c.length);
  }
}

TEST_CASE("router: parameters are views into the spelling that was matched") {
  RouteRule kept = path("/{a}//{b}");
  kept.keep_slashes = true;
  const auto r = router({kept, path("/{c}/y/{d}")});
  const std::string merged = "/x/y", unmerged = "/x//y";
  const auto match = r.match({.path = merged, .unmerged_path = unmerged});
  REQUIRE(match.params.size() == 2);
  CHECK(match.params["b"].data() == unmerged.data() + 4);
}
