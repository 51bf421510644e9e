#include "config/describe.hpp"
#include "config_reading.hpp"

#include <gw/regex.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace config_reading;
using Lines = std::vector<std::string>;

namespace {

/// One route to an upstream of its own.
Outcome read_route(const std::string& keys, gw::Notation notation = gw::Notation::yaml) {
  if (notation == gw::Notation::json) return read("{\"routes\": [{" + keys + ", \"forward\": \"http://h\"}]}", notation);
  return read("routes: [{" + keys + ", forward: \"http://h\"}]");
}

}  // namespace

TEST_CASE("config routes: a regex and its priority" * doctest::skip(!gw::has_regex())) {
  const auto yaml = read_route("regex: '/v\\d{1,2}/(?P<rest>.*)', priority: -5, keep_slashes: true");
  CHECK(join(yaml.problems) == "");
  REQUIRE(yaml.config.routes.size() == 1);
  const gw::RouteRule& rule = yaml.config.routes[0].rule;
  CHECK(rule.kind == gw::RouteRule::Kind::regex);
  CHECK(rule.pattern == "/v\\d{1,2}/(?P<rest>.*)");
  CHECK(rule.priority == -5);
  CHECK(rule.keep_slashes);

  const auto json = read_route(R"("regex": "/v\\d/.*", "priority": 7)", gw::Notation::json);
  CHECK(join(json.problems) == "");
  CHECK(json.config.routes.at(0).rule.pattern == "/v\\d/.*");
  CHECK(json.config.routes.at(0).rule.priority == 7);
}

TEST_CASE("config routes: a wrong regex is a problem at its place" * doctest::skip(!gw::has_regex())) {
  const std::string at = "gw:1:18: routes[0].regex: ";
  const struct {
    std::string keys;
    Lines problems;
  } cases[] = {
      {"regex: '/a[z-a]'", {at + "\"/a[z-a]\" is no regular expression that gw takes: invalid character class range: z-a, at character 4"}},
      {"regex: '/(?=a)'", {at + "\"/(?=a)\" is no regular expression that gw takes: invalid perl operator: (?=, at character 2"}},
      {"regex: 'users/.*'", {at + "\"users/.*\" takes no path: every path begins with \"/\""}},
      {"regex: ''", {at + "expected text, found an empty text"}},
      {"regex: /a, path: /b", {"gw:1:28: routes[0].path: a route has one of path, prefix and regex"}},
      {"regex: /a, strip_prefix: true", {"gw:1:10: routes[0].strip_prefix: removes a prefix, and this route has a regex"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.keys);
    CHECK(join(read_route(c.keys).problems) == join(c.problems));
  }
}

TEST_CASE("config routes: without RE2 a regex is a problem that says so" * doctest::skip(gw::has_regex())) {
  CHECK(join(read_route("regex: /a").problems) == "gw:1:18: routes[0].regex: \"/a\" cannot be used: this gw was built without RE2\n");
}

TEST_CASE("config routes: a priority is a whole number, and only for a regex") {
  const std::string expected = "routes[0].priority: expected a whole number from -1000000 to 1000000, found ";
  for (std::string value : {"1000001", "-1000001", "99999999999999999999", "1.5", "high", "+1", "0x1", "5 "}) {
    CAPTURE(value);
    CHECK(join(read_route("regex: /a, priority: \"" + value + '"').problems).find(expected + '"' + value + '"') != std::string::npos);
  }
  for (std::string value : {"0", "3"})
    CHECK(join(read_route("prefix: /a, priority: " + value).problems) ==
          "gw:1:33: routes[0].priority: is for a regex; which path or prefix wins follows from the pattern\n");
}

TEST_CASE("config routes: keep_slashes is true or false") {
  CHECK(read_route("prefix: /a, keep_slashes: true").config.routes.at(0).rule.keep_slashes);
  CHECK_FALSE(read_route("prefix: /a").config.routes.at(0).rule.keep_slashes);
  CHECK(read_route("prefix: /a, keep_slashes: 1").problems.size() == 1);
}

TEST_CASE("config routes: upgrade is a protocol, several, or none") {
  const struct {
    std::string keys;
    Lines protocols;
  } cases[] = {
      {"prefix: /a", {"websocket"}},
      {"prefix: /a, upgrade: tcp", {"tcp"}},
      {"prefix: /a, upgrade: [websocket, chat/2]", {"websocket", "chat/2"}},
      {"prefix: /a, upgrade: []", {}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.keys);
    const Outcome outcome = read_route(c.keys);
    CHECK(join(outcome.problems) == "");
    CHECK(outcome.config.routes.at(0).upgrade == c.protocols);
  }
  CHECK(join(read_route("prefix: /a, upgrade: [websocket, h2c]").problems) ==
        "gw:1:44: routes[0].upgrade[1]: \"h2c\" cannot be switched to: the requests in it would pass by every route, stage and limit\n");
  CHECK(join(read_route("prefix: /a, upgrade: \"web socket\"").problems) ==
        "gw:1:32: routes[0].upgrade: \"web socket\" is no protocol: write a name such as websocket, or NAME/VERSION\n");
  CHECK(join(read("routes: [{prefix: /a, upgrade: tcp, reply: 200}]").problems) ==
        "gw:1:10: routes[0].upgrade: is about an upstream, and this route does not forward\n");
}

TEST_CASE("config routes: wrong_method is 404 or 405") {
  CHECK(read("wrong_method: 404").config.wrong_method == 404);
  CHECK(read("{}").config.wrong_method == 405);
  CHECK(join(read("wrong_method: 403").problems) == "gw:1:15: wrong_method: expected a whole number from 404 to 405, found \"403\"\n");
  gw::Config config;
  config.wrong_method = 200;
  gw::Problems problems;
  gw::config::check_references(config, problems);
  CHECK(join(lines(problems)) == "wrong_method: expected a number from 404 to 405, found 200\n");
}

TEST_CASE("config routes: a configuration that is shown has all of it") {
  gw::Config config;
  config.wrong_method = 404;
  gw::RouteConfig route;
  route.rule = {.kind = gw::RouteRule::Kind::regex, .pattern = "/a\\d", .priority = -2, .keep_slashes = true};
  config.routes.push_back(route);
  route.rule = {.pattern = "/b"};
  route.action = gw::ForwardConfig{"http://h", {}};
  route.upgrade = {"tcp"};
  config.routes.push_back(route);
  std::string text = gw::config::config_json(config);
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  CHECK(text.find(R"("wrong_method":404,)") != std::string::npos);
  CHECK(text.find(R"({"regex":"/a\\d","priority":-2,"keep_slashes":true})") != std::string::npos);
  CHECK(text.find(R"({"prefix":"/b","forward":"http://h","upgrade":["tcp"]})") != std::string::npos);
}
