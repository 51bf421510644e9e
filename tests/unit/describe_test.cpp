#include <doctest/doctest.h>

#include "config/describe.hpp"
#include "config/masking.hpp"

#include <gw/config.hpp>

#include <string>
#include <string_view>

using namespace gw::config;

namespace {

gw::Config parsed(std::string_view text) {
  gw::Problems problems;
  gw::Config config = gw::parse_config(text, gw::Notation::yaml, "gw.yaml", problems);
  for (const gw::Problem& p : problems) FAIL(p.text());
  return config;
}

/// The same without white space: what is shown, not how.
std::string compact(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  return text;
}

/// The stages of a configuration as JSON.
std::string stages(std::string_view yaml) {
  const std::string text = compact(config_json(parsed(yaml)));
  const std::size_t begin = text.find("\"use\":") + 6;
  return text.substr(begin, text.find(",\"upstreams\":") - begin);
}

}  // namespace

TEST_CASE("describe: names that hint at a secret are known in any case") {
  for (const std::string_view name : {"key", "x-api-key", "KEYS", "Authorization", "Proxy-Authorization", "Cookie", "set-cookie", "password", "secret",
                                      "client_secret", "Token", "hash", "users", "basic_auth", "jwt", "credentials", "private", "X-Session", "x-signature"})
    CHECK_MESSAGE(is_secret_name(name), name);
  for (const std::string_view name : {"", "x", "x-plain", "path", "accept", "content-type", "rate", "window", "k", "ke", "passwor"})
    CHECK_FALSE_MESSAGE(is_secret_name(name), name);
}

TEST_CASE("describe: credentials in URLs are masked, and nothing else of them") {
  const struct {
    std::string_view text, shown;
  } rows[] = {
      {"", ""},
      {"plain @ text", "plain @ text"},
      {"http://host:80/a@b", "http://host:80/a@b"},
      {"http://user:pass@host/x", "http://<masked>@host/x"},
      {"http://user@host", "http://<masked>@host"},
      {"http://a@b:c@host?x=y@z", "http://<masked>@host?x=y@z"},
      {"//u:p@h", "//<masked>@h"},
      {"http://u:p@h/ and http://v:q@i#f", "http://<masked>@h/ and http://<masked>@i#f"},
      {"http://", "http://"},
      {"///@", "///@"},
  };
  for (const auto& row : rows) CHECK(without_credentials(row.text) == row.shown);
}

TEST_CASE("describe: a listener shows whom it trusts") {
  const std::string text = compact(config_json(parsed("listen: [{address: \":0\", trusted: [10.0.0.0/8, \"::1\"]}, \":1\"]")));
  CHECK(text.find("\"listen\":[{\"address\":\":0\",\"trusted\":[\"10.0.0.0/8\",\"::1\"]},\":1\"]") != text.npos);
}

TEST_CASE("describe: stages of a file show their options without secrets") {
  CHECK(stages("{listen: \":0\", use: [request_id]}") == "[\"request_id\"]");
  CHECK(stages("{listen: \":0\", use: [{headers: {request: {set: {Authorization: \"Bearer x\", a: \"http://u:p@h\"}, remove: [cookie]}}}]}") ==
        "[{\"headers\":{\"request\":{\"set\":{\"Authorization\":\"<masked>\",\"a\":\"http://<masked>@h\"},\"remove\":[\"cookie\"]}}}]");
}

TEST_CASE("describe: of stages about secrets only the names of options show") {
  Node options;
  options.kind = Node::Kind::mapping;
  const auto add = [](Node& map, const char* key, Node value) {
    map.keys.push_back({key, 1, 1});
    map.elements.push_back(std::move(value));
  };
  Node text, number, list, inner;
  text.kind = number.kind = Node::Kind::scalar;
  text.text = "s3cr3t";
  number.text = "7";
  list.kind = Node::Kind::sequence;
  list.elements = {text, number};
  inner.kind = Node::Kind::mapping;
  add(inner, "s3cr3t", text);
  add(options, "plain", list);
  add(options, "inner", inner);
  CHECK(masked_json("key_auth", options) == R"({"plain":"<masked>","inner":"<masked>"})");
  CHECK(masked_json("jwt", text) == R"("<masked>")");
  // Elsewhere everything inside a value with such a name.
  Node outer;
  outer.kind = Node::Kind::mapping;
  add(outer, "tokens", inner);
  add(outer, "none", Node());
  add(outer, "list", list);
  CHECK(masked_json("rate_limit", outer) == R"({"tokens":"<masked>","none":null,"list":["s3cr3t",7]})");
}

TEST_CASE("describe: what is code shows as such") {
  gw::Config config;
  config.use.push_back(gw::Stage([](gw::Context&, gw::Next next) -> gw::Task<> { co_await next(); }, "gate"));
  config.use.push_back(gw::StageConfig("defined", {}));
  gw::RouteConfig route;
  route.action = gw::HandlerConfig{"", gw::Handler([](gw::Context&) { return 204; }), {}};
  config.routes.push_back(route);
  route.rule.name = "named \"so\" \xc3\xa9";
  route.action = gw::HandlerConfig{"hello", {}, {}};
  config.routes.push_back(route);
  const std::string text = compact(config_json(config));
  CHECK(text.find(R"("use":[{"gate":"<code>"},"defined"])") != text.npos);
  CHECK(text.find(R"("routes":[{"prefix":"/","handler":"<code>"},{"name":"named\"so\")") != text.npos);
  CHECK(text.find(R"("handler":"hello"}]})") != text.npos);
  const std::string routes = compact(routes_json(config, {"/", "named"}));
  CHECK(routes == R"([{"name":"/","prefix":"/","use":[{"gate":"<code>"},"defined"],"handler":"<code>"},)"
                  R"({"name":"named","prefix":"/","use":[{"gate":"<code>"},"defined"],"handler":"hello"}])");
}
