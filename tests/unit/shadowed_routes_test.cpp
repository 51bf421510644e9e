#include <gw/regex.hpp>
#include <gw/shadowed_routes.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using gw::Method;
using gw::MethodSet;
using gw::RouteRule;
using Kind = RouteRule::Kind;
using Lines = std::vector<std::string>;

RouteRule named(std::string name, RouteRule rule) { return rule.name = std::move(name), rule; }
RouteRule prefix(std::string pattern) { return {.kind = Kind::prefix, .pattern = std::move(pattern)}; }
RouteRule regex(std::string pattern, int priority = 0) { return {.kind = Kind::regex, .pattern = std::move(pattern), .priority = priority}; }
RouteRule by(MethodSet methods, RouteRule rule) { return rule.methods = methods, rule; }
RouteRule on(std::vector<std::string> hosts, RouteRule rule) { return rule.hosts = std::move(hosts), rule; }
RouteRule with(std::vector<gw::FieldTest> headers, RouteRule rule) { return rule.headers = std::move(headers), rule; }
RouteRule asking(std::vector<gw::FieldTest> query, RouteRule rule) { return rule.query = std::move(query), rule; }
RouteRule keeping(RouteRule rule) { return rule.keep_slashes = true, rule; }

/// "route: by others" for each route that never gets a request.
Lines shadowed(const std::vector<RouteRule>& rules) {
  gw::RouterBuilder<int> builder(gw::compile_regex);
  for (const RouteRule& rule : rules) builder.add(rule, 0);
  const auto built = builder.build();
  for (const gw::RouteProblem& problem : built.problems) FAIL(problem.what);
  Lines lines;
  for (const gw::ShadowedRoute& route : gw::shadowed_routes(built.router)) {
    std::string line = built.router.rule(route.rule).name + ':';
    for (std::size_t other : route.by) line += ' ' + built.router.rule(other).name;
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("shadowed routes: paths and prefixes do not shadow each other by their patterns alone") {
  CHECK(shadowed({}).empty());
  CHECK(shadowed({named("a", prefix("/")), named("b", prefix("/a")), named("c", prefix("/a/{x}")), named("d", prefix("/{y}")),
                  named("e", {.kind = Kind::path, .pattern = "/a"}), named("f", on({"h"}, prefix("/")))})
            .empty());
}

TEST_CASE("shadowed routes: a route whose methods are all taken at the same place") {
  MethodSet all;
  for (std::size_t i = 0; i < gw::detail::method_names.size(); ++i) all.insert(static_cast<Method>(i));
  MethodSet without_trace;
  for (std::size_t i = 0; i < gw::detail::method_names.size(); ++i)
    if (static_cast<Method>(i) != Method::trace) without_trace.insert(static_cast<Method>(i));
  CHECK(shadowed({named("any", prefix("/a")), named("all", by(all, prefix("/a")))}) == Lines{"any: all"});
  CHECK(shadowed({named("any", prefix("/a")), named("most", by(without_trace, prefix("/a")))}).empty());
  CHECK(shadowed({named("any", prefix("/a")), named("most", by(without_trace, prefix("/a"))), named("trace", by({Method::trace}, prefix("/a")))}) ==
        Lines{"any: most trace"});
  // GET answers HEAD, but a route that lists HEAD comes first.
  CHECK(shadowed({named("get", by({Method::get}, prefix("/a"))), named("head", by({Method::head}, prefix("/a")))}).empty());
  CHECK(shadowed({named("get", by({Method::get}, prefix("/a"))), named("head", by({Method::head}, with({{"h", "1"}}, prefix("/a"))))}).empty());
}

TEST_CASE("shadowed routes: a test that another test implies, where the name decides") {
  const RouteRule any = with({{"h", "*"}}, prefix("/a")), one = with({{"H", "1"}}, prefix("/a"));
  CHECK(shadowed({named("1 any", any), named("2 one", one)}) == Lines{"2 one: 1 any"});
  CHECK(shadowed({named("2 any", any), named("1 one", one)}).empty());
  CHECK(shadowed({named("a", asking({{"q", "*"}}, prefix("/a"))), named("b", asking({{"q", "1"}}, prefix("/a")))}) == Lines{"b: a"});
  CHECK(shadowed({named("a", asking({{"q", "*"}}, prefix("/a"))), named("b", asking({{"Q", "1"}}, prefix("/a")))}).empty());
  // More tests win, and so the one with fewer still gets the rest.
  CHECK(shadowed({named("a", prefix("/a")), named("b", one)}).empty());
  CHECK(shadowed({named("a", with({{"h", "*"}, {"h", "1"}}, prefix("/a"))), named("b", one)}) == Lines{"b: a"});
}

TEST_CASE("shadowed routes: every host of the route has to be covered") {
  const RouteRule any = with({{"h", "*"}}, prefix("/")), one = with({{"h", "1"}}, prefix("/"));
  CHECK(shadowed({named("1", on({"a", "b"}, any)), named("2", on({"a", "b"}, one))}) == Lines{"2: 1"});
  CHECK(shadowed({named("1", on({"a"}, any)), named("2", on({"a", "b"}, one))}).empty());
  CHECK(shadowed({named("1", any), named("2", on({"a"}, one))}).empty());
  CHECK(shadowed({named("1", on({"*.a"}, any)), named("2", on({"x.a"}, one))}).empty());
  CHECK(shadowed({named("1", on({"a"}, any)), named("2", on({"b"}, any)), named("3", on({"a", "B."}, one))}) == Lines{"3: 1 2"});
}

TEST_CASE("shadowed routes: a regex behind a prefix that takes all its paths" * doctest::skip(!gw::has_regex())) {
  const RouteRule files = named("files", regex("/files/(?P<name>.*)\\.txt"));
  CHECK(shadowed({named("all", prefix("/")), files}) == Lines{"files: all"});
  CHECK(shadowed({named("prefix", prefix("/files")), files}) == Lines{"files: prefix"});
  CHECK(shadowed({named("prefix", prefix("/files/")), files}) == Lines{"files: prefix"});
  CHECK(shadowed({named("prefix", prefix("/file")), files}).empty());
  CHECK(shadowed({named("prefix", prefix("/files/{x}")), files}).empty());
  CHECK(shadowed({named("path", {.kind = Kind::path, .pattern = "/files"}), files}).empty());
  CHECK(shadowed({named("all", on({"h"}, prefix("/"))), files}).empty());
  CHECK(shadowed({named("all", on({"h"}, prefix("/"))), on({"h"}, files)}) == Lines{"files: all"});
  CHECK(shadowed({named("all", by({Method::get}, prefix("/"))), files}).empty());
  CHECK(shadowed({named("all", by({Method::get}, prefix("/"))), by({Method::get, Method::head}, files)}) == Lines{"files: all"});
  CHECK(shadowed({named("all", with({{"h", "1"}}, prefix("/"))), files}).empty());
  // What begins with "/files" may go on in the same segment.
  CHECK(shadowed({named("prefix", prefix("/files")), named("r", regex("/files.*"))}).empty());
  CHECK(shadowed({named("prefix", prefix("/files")), named("r", regex("/files/?"))}).empty());
  CHECK(shadowed({named("prefix", prefix("/files")), named("r", regex("/files/a|/b"))}).empty());
}

TEST_CASE("shadowed routes: a regex behind another" * doctest::skip(!gw::has_regex())) {
  CHECK(shadowed({named("high", regex("/x.*", 1)), named("low", regex("/x.*"))}) == Lines{"low: high"});
  CHECK(shadowed({named("high", regex("/x.*", 1)), named("low", regex("/x.+"))}).empty());
  CHECK(shadowed({named("high", regex(".*", 1)), named("low", regex("/x.+"))}) == Lines{"low: high"});
  CHECK(shadowed({named("high", regex("/x.+", 1)), named("low", regex("^/.*$"))}).empty());
  CHECK(shadowed({named("a", regex(".*")), named("b", regex("/x.+"))}) == Lines{"b: a"});
  CHECK(shadowed({named("high", by({Method::get}, regex("/x.*", 1))), named("low", regex("/x.*"))}).empty());
}

TEST_CASE("shadowed routes: two spellings of a path are not the same path" * doctest::skip(!gw::has_regex())) {
  // "/files//../x" is "/files/x" for the one and "/x" for the other.
  CHECK(shadowed({named("prefix", prefix("/files")), named("r", keeping(regex("/files/.*")))}).empty());
  CHECK(shadowed({named("prefix", keeping(prefix("/files"))), named("r", keeping(regex("/files/.*")))}) == Lines{"r: prefix"});
  CHECK(shadowed({named("all", prefix("/")), named("r", keeping(regex("/files/.*")))}) == Lines{"r: all"});
  CHECK(shadowed({named("1", with({{"h", "*"}}, prefix("/a"))), named("2", keeping(with({{"h", "1"}}, prefix("/a"))))}).empty());
}
