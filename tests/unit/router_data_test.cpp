#include <gw/path.hpp>
#include <gw/router.hpp>

#include <support/route_reference.hpp>

#include <doctest/doctest.h>
#include <rapidjson/document.h>
#include <rapidjson/istreamwrapper.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gw::Method;
using gw::RouteRule;
using Kind = RouteRule::Kind;

gw::Router<int> router(const std::vector<RouteRule>& rules) {
  gw::RouterBuilder<int> builder;
  for (std::size_t i = 0; i < rules.size(); ++i) builder.add(rules[i], static_cast<int>(i));
  auto built = builder.build();
  for (const gw::RouteProblem& problem : built.problems) FAIL(problem.what);
  return std::move(built.router);
}

RAPIDJSON_NAMESPACE::Document json(const std::string& name) {
  std::ifstream file(GW_TEST_DATA "/" + name);
  RAPIDJSON_NAMESPACE::IStreamWrapper stream(file);
  RAPIDJSON_NAMESPACE::Document document;
  REQUIRE_FALSE(document.ParseStream(stream).HasParseError());
  return document;
}

/// The routes of GitHub's API, each with a request that fills its parameters.
struct GithubRoute {
  RouteRule rule;
  std::string path;
  std::vector<std::string> values;
};

std::vector<GithubRoute> github_routes() {
  std::vector<GithubRoute> routes;
  std::ifstream file(GW_TEST_DATA "/github_api_routes.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    GithubRoute route;
    const std::size_t space = line.find(' ');
    const auto method = gw::parse_method(line.substr(0, space));
    REQUIRE(method);
    route.rule = {.kind = Kind::path, .pattern = line.substr(space + 1), .methods = {*method}};
    for (const std::string& segment : reference::segments(route.rule.pattern)) {
      if (!segment.starts_with('{')) {
        route.path += '/' + segment;
        continue;
      }
      route.values.push_back("value" + std::to_string(routes.size()) + '-' + std::to_string(route.values.size()));
      route.path += '/' + route.values.back();
    }
    routes.push_back(std::move(route));
  }
  return routes;
}

}  // namespace

TEST_CASE("router data: Kong's joining table holds, but for prefixes that end inside a segment") {
  const auto document = json("kong_path_handling.json");
  int misses = 0, matches = 0;
  for (const auto& row : document["cases"].GetArray()) {
    if (std::string_view(row["path_handling"].GetString()) != "v0") continue;
    const std::string_view route = row["route_path"].GetString();
    std::string scratch;
    const auto path = gw::normalize_path(row["request_path"].GetString(), scratch);
    REQUIRE(path);
    CAPTURE(route);
    CAPTURE(*path);
    const bool ends_inside_segment = !route.ends_with('/') && path->size() > route.size() && (*path)[route.size()] != '/';
    const auto r = router({{.kind = Kind::prefix, .pattern = std::string(route)}});
    const auto match = r.match({.path = *path});
    CHECK(static_cast<bool>(match) == !ends_inside_segment);
    ++(match ? matches : misses);
    if (!match) continue;
    std::string upstream;
    gw::join_path(upstream, row["service_path"].GetString(), *path, row["strip_path"].GetBool() ? match.prefix_length : 0);
    CHECK(upstream == row["upstream_path"].GetString());
  }
  CHECK(misses == 32);
  CHECK(matches == 56);
}

TEST_CASE("router data: Kubernetes' path types behave as documented") {
  const auto document = json("kubernetes_path_types.json");
  for (const auto& c : document["cases"].GetArray()) {
    std::vector<RouteRule> rules;
    for (const auto& p : c["paths"].GetArray())
      rules.push_back({.name = p[2].GetString(),
                       .kind = std::string_view(p[0].GetString()) == "Exact" ? Kind::path : Kind::prefix,
                       .pattern = p[1].GetString()});
    const std::string request = c["request"].GetString();
    CAPTURE(request);
    const auto r = router(rules);
    const auto match = r.match({.path = request});
    CHECK((match ? match.name : "none") == (c["backend"].IsNull() ? "none" : c["backend"].GetString()));
  }
  CHECK(document["cases"].Size() == 21);
}

TEST_CASE("router data: each of GitHub's routes matches itself, in every order of adding") {
  const std::vector<GithubRoute> routes = github_routes();
  CHECK(routes.size() == 203);
  std::vector<std::size_t> order(routes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (unsigned seed = 0; seed < 8; ++seed) {
    if (seed > 0) std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    std::vector<RouteRule> rules;
    for (std::size_t i : order) rules.push_back(routes[i].rule);
    const auto r = router(rules);
    for (std::size_t at = 0; at < order.size(); ++at) {
      const GithubRoute& route = routes[order[at]];
      CAPTURE(route.path);
      for (bool as_head : {false, true}) {
        if (as_head && !route.rule.methods.contains(Method::get)) continue;
        Method method = Method::head;
        for (Method m : {Method::get, Method::post, Method::put, Method::delete_})
          if (!as_head && route.rule.methods.contains(m)) method = m;
        const auto match = r.match({.method = method, .path = route.path});
        REQUIRE(match);
        CHECK(match.index == at);
        CHECK(r.rule(match.index).pattern == route.rule.pattern);
        std::vector<std::string> values;
        for (const auto& parameter : match.params) values.emplace_back(parameter.value);
        CHECK(values == route.values);
      }
      const auto none = r.match({.method = Method::trace, .path = route.path});
      CHECK_FALSE(none);
      CHECK(none.allowed.intersects(route.rule.methods));
      CHECK_FALSE(r.match({.method = Method::get, .path = route.path + "/x/y/z"}));
    }
  }
}

TEST_CASE("router data: a hostile path visits each node of the tree once") {
  // Every segment could be literal or parameter at each of 8 levels, and no route is as long as the path.
  std::vector<RouteRule> rules;
  for (unsigned bits = 0; bits < 256; ++bits) {
    std::string pattern;
    for (unsigned level = 0; level < 8; ++level) pattern += bits >> level & 1 ? "/a" : "/{p" + std::to_string(level) + '}';
    rules.push_back({.kind = Kind::path, .pattern = pattern});
  }
  const auto r = router(rules);
  std::string path;
  for (int i = 0; i < 2000; ++i) path += "/a";
  CHECK_FALSE(r.match({.path = path}));
  CHECK(r.match({.path = std::string_view(path).substr(0, 16)}));
}

TEST_CASE("router data: routes by the thousand below one segment, and hosts by the thousand, are all found") {
  std::vector<RouteRule> rules;
  for (int i = 0; i < 5000; ++i) {
    const std::string number = std::to_string(i);
    rules.push_back({.pattern = "/services/service-" + number + "-in-production"});
    rules.push_back({.pattern = "/s" + number});
    rules.push_back({.pattern = "/", .hosts = {"tenant-" + number + ".example.com"}});
    rules.push_back({.pattern = "/", .hosts = {"*.t" + number + ".example.com"}});
  }
  const auto r = router(rules);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    std::string host = rules[i].hosts.empty() ? "" : rules[i].hosts[0];
    if (host.starts_with('*')) host.front() = 'x';
    const auto match = r.match({.host = host, .path = rules[i].pattern});
    REQUIRE(match);
    REQUIRE(match.index == i);
  }
  CHECK_FALSE(r.match({.path = "/s5000"}));
  CHECK_FALSE(r.match({.path = "/services/service-5000-in-production"}));
  CHECK_FALSE(r.match({.host = "tenant-5000.example.com", .path = "/"}));
}
