#include <doctest/doctest.h>

#include <gw/gw.hpp>

#include "support/temp_dir.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace {

// Routes that are alike, nearly alike, and of every other kind.
constexpr std::string_view text = R"(
listen: 127.0.0.1:0
workers: 1
upstreams: {a: ["127.0.0.1:1"], b: ["127.0.0.1:2"]}
routes:
  - {path: "/1/{id}", forward: a}
  - {path: "/2/{id}", forward: b}
  - {path: "/3/{id}", forward: a}
  - {name: third, prefix: /4, forward: b, host: [x.example, "*.example"], methods: [GET, POST]}
  - {prefix: /5, forward: a, strip_prefix: true}
  - {prefix: /6, forward: a, preserve_host: true, timeouts: {first_byte: 1s}, limits: {body: 1KiB}}
  - {prefix: /7, forward: a, preserve_host: true, timeouts: {first_byte: 1s}, limits: {body: 1KiB}}
  - {prefix: /8, forward: a, upgrade: []}
  - {prefix: /9, forward: a, rewrite: "/v2{rest}"}
  - {prefix: /10, forward: a, use: [{headers: {response: {set: {x-a: "1"}}}}]}
  - {prefix: /11, forward: {split: {a: 1, b: 2}, hash: {header: x}}, headers: {x: "1"}, query: {y: "*"}}
  - {path: /12, redirect: /1/2}
  - {path: /13, reply: {status: 200, text: ok}}
  - {path: "//14", keep_slashes: true, reply: 204}
)";

}  // namespace

TEST_CASE("kept config: routes are after the start what they were before") {
  const gw_test::TempDir directory;
  const std::string file = directory.write("gw.yaml", text);
  const std::vector<gw::RouteConfig> routes = gw::load_config(file).routes;
  REQUIRE(routes.size() == 14);
  gw::Gateway app = gw::Gateway::from_file(file);
  app.path("/code").forward("http://127.0.0.1:3");
  app.path("/handler").handle([](gw::Context&) { return "ok"; });
  const auto server = app.start();
  const std::vector<gw::RouteConfig> after = app.config().routes;
  REQUIRE(after.size() == routes.size() + 2);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    CAPTURE(i);
    // Stages read twice are two.
    if (routes[i].use.empty()) CHECK(after[i] == routes[i]);
    else CHECK(after[i].use[0].options() == routes[i].use[0].options());
  }
  CHECK(after[14].rule.pattern == "/code");
  CHECK(after[14].rule.name.empty());
  CHECK(after[14].place == gw::Place());
  CHECK(std::get<gw::ForwardConfig>(after[14].action).to == "http://127.0.0.1:3");
  CHECK(app.dispatch(gw::Method::get, "/handler").status == 200);
}

TEST_CASE("kept config: who has asked for it before the start sees what is applied") {
  const gw_test::TempDir directory;
  const std::string file = directory.write("gw.yaml", text);
  gw::Gateway app = gw::Gateway::from_file(file);
  gw::Config& config = app.config();
  const auto server = app.start();
  CHECK(config.routes.size() == 14);
  config.routes.pop_back();
  app.apply(config);
  CHECK(config.routes.size() == 13);
}

TEST_CASE("kept config: routes of code outlast reloads, also one that fails, and can be added to") {
  const gw_test::TempDir directory;
  const std::string file = directory.write("gw.yaml", text);
  gw::Gateway app = gw::Gateway::from_file(file);
  app.path("/code").reply(200, "code");
  const auto server = app.start();
  directory.write("gw.yaml", "nonsense");
  CHECK_THROWS_AS(app.reload(), gw::ConfigError);
  directory.write("gw.yaml", text);
  app.reload();
  CHECK(app.dispatch(gw::Method::get, "/code").status == 200);
  CHECK(app.check().empty());
  app.path("/more").reply(201, "more");
  app.reload();
  CHECK(app.dispatch(gw::Method::get, "/more").status == 201);
  CHECK(app.config().routes.size() == 16);
}

TEST_CASE("kept config: a gateway that has stopped starts again with all its routes") {
  const gw_test::TempDir directory;
  const std::string file = directory.write("gw.yaml", text);
  gw::Gateway app = gw::Gateway::from_file(file);
  app.start().stop();
  const auto server = app.start();
  CHECK(app.dispatch(gw::Method::get, "/13").status == 200);
  CHECK(app.config().routes.size() == 14);
}

TEST_CASE("kept config: a route can be edited after the start") {
  gw::Gateway app;
  gw::Route route = app.path("/x").reply(200, "before");
  const auto server = app.start("127.0.0.1:0");
  route.reply(201, "after");
  CHECK(app.dispatch(gw::Method::get, "/x").status == 200);
  app.apply(app.config());
  CHECK(app.dispatch(gw::Method::get, "/x").status == 201);
}
