#include <gw/gw.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gw::Method;

std::string text_of(gw::Response response) { return std::string(response.body.text()); }

/// Answers with the path as it would be forwarded, and a name.
auto echo(std::string name) {
  return [name = std::move(name)](gw::Context& c) { return name + ' ' + std::string(c.req.path()); };
}

}  // namespace

TEST_CASE("gateway routes: a regex gives parameters to its handler" * doctest::skip(!gw::has_regex())) {
  gw::Gateway app;
  app.regex("/(?P<kind>users|groups)/(?P<id>[0-9]+)").handle([](gw::Context& c) {
    return std::string(c.params["kind"]) + '=' + std::string(c.params["id"]);
  });
  app.regex("/(?P<name>.*)").priority(-1).handle([](gw::Context& c) { return "rest " + std::string(c.params["name"]); });
  CHECK(text_of(app.dispatch(Method::get, "/users/7")) == "users=7");
  CHECK(text_of(app.dispatch(Method::get, "/users/%37")) == "users=7");
  CHECK(text_of(app.dispatch(Method::get, "/users/x%20y")) == "rest users/x y");
  CHECK(text_of(app.dispatch(Method::get, "/")) == "rest ");
}

TEST_CASE("gateway routes: a wrong regex of the program is a problem") {
  gw::Gateway app;
  app.listen("127.0.0.1:0");
  app.regex("/(").name("open").handle([](gw::Context&) { return 200; });
  try {
    app.check();
    FAIL("it was taken");
  } catch (const gw::ConfigError& e) {
    REQUIRE(e.problems().size() == 1);
    const std::string reason = gw::has_regex() ? "is no regular expression that gw takes: missing ): /(" : "cannot be used: this gw was built without RE2";
    CHECK(e.problems()[0].text() == "routes[0]: regex \"/(\" " + reason);
  }
}

TEST_CASE("gateway routes: what was matched is what a route sees, with its slashes or without") {
  gw::Gateway app;
  app.prefix("/files").keep_slashes().handle(echo("kept"));
  app.prefix("/").handle(echo("merged"));
  app.path("/files/secret").handle(echo("secret"));
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/files/a//b", "kept /files/a//b"},       {"/files//", "kept /files//"},          {"/files/a/b", "kept /files/a/b"},
      {"/x//y", "merged /x/y"},                  {"//files//a", "merged /files/a"},      {"/files//secret", "secret /files/secret"},
      {"/files/%2e//./a%7E//b", "kept /files//a~//b"}, {"/files//../x", "kept /files/x"}, {"/files/../x//y", "merged /x/y"},
  };
  for (const auto& [target, answer] : cases) {
    CAPTURE(target);
    CHECK(text_of(app.dispatch(Method::get, target)) == answer);
  }
  CHECK(app.dispatch(Method::get, "/files//%00").status == 400);
}

TEST_CASE("gateway routes: wrong_method 404 hides that there is another method") {
  gw::Gateway app;
  app.post("/a", [](gw::Context&) { return "a"; });
  CHECK(app.dispatch(Method::get, "/a").status == 405);
  app.config().wrong_method = 404;
  gw::Response response = app.dispatch(Method::get, "/a");
  CHECK(response.status == 404);
  CHECK_FALSE(response.headers.has("allow"));
  CHECK(text_of(std::move(response)) == R"({"message":"no Route matched with those values"})");
  CHECK(app.dispatch(Method::post, "/a").status == 200);
}

TEST_CASE("gateway routes: a reload keeps wrong_method of the program, and takes that of the file") {
  const auto file = std::filesystem::temp_directory_path() / ("gw_routes_test_" + std::to_string(std::rand()) + ".yaml");
  const auto write = [&](std::string_view text) { std::ofstream(file) << text; };
  write("routes:\n  - {path: /a, methods: PUT, forward: \"http://127.0.0.1:1\"}\n");
  auto app = gw::Gateway::from_file(file.string());
  CHECK(app.dispatch(Method::get, "/a").status == 405);
  write("wrong_method: 404\nroutes:\n  - {path: /a, methods: PUT, forward: \"http://127.0.0.1:1\"}\n");
  app.reload();
  CHECK(app.dispatch(Method::get, "/a").status == 404);
  app.config().wrong_method = 405;
  app.reload();
  CHECK(app.dispatch(Method::get, "/a").status == 405);
  std::filesystem::remove(file);
}

TEST_CASE("gateway routes: who asks without a host is told so by a redirect that needs it") {
  gw::Gateway app;
  app.prefix("/a").redirect("https://{host}{path}");
  const gw::Response response = app.dispatch(Method::get, "/a");
  CHECK(response.status == 400);
  CHECK(response.body.text() == "{\"message\":\"" + std::string(gw::message_of(gw::Error::bad_host)) + "\"}");
  gw::Request request(Method::get, "/a/b");
  request.headers.add("Host", "h:1");
  CHECK(app.dispatch(std::move(request)).headers["location"] == "https://h/a/b");
}

TEST_CASE("gateway routes: check returns warnings, sorted by place, and they are no problems") {
  gw::Gateway app;
  app.listen("127.0.0.1:0");
  app.path("/a").name("b").header("x", "1").handle(echo("b"));
  app.path("/a").name("a").header("x", "*").handle(echo("a"));
  const gw::Problems warnings = app.check();
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].text() == "routes[0]: route \"b\" never gets a request: \"a\" (routes[1]) wins all that it would take");
  app.config().routes.pop_back();
  CHECK(app.check().empty());
}

TEST_CASE("gateway routes: the tree is that of the configuration before start, then the one that is served") {
  gw::Gateway app;
  app.config().workers = 1;
  app.prefix("/a").name("a").use([](gw::Context&, gw::Next next) -> gw::Task<> { co_await next(); }).forward("nowhere");
  CHECK(to_text(app.routes()) == "any host\n└─ /a\n   └─ /* any method  -> \"a\"\n");
  app.config().routes.clear();
  app.path("/b").name("b").handle(echo("b"));
  {
    const gw::Server server = app.start("127.0.0.1:0");
    app.path("/c").handle(echo("c"));
    CHECK(to_text(app.routes()) == "any host\n└─ /b\n   └─ =  any method  -> \"b\"\n");
  }
  app.path("wrong").handle(echo("d"));
  CHECK_THROWS_AS(app.routes(), gw::ConfigError);
}
