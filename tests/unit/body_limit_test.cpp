#include <doctest/doctest.h>

#include <gw/middleware/body_limit.hpp>

#include "support/proxy_scripts.hpp"

#include <string>
#include <vector>

using namespace gw_test;

namespace {

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What came of one request.
struct Outcome {
  int status = 0;
  std::string sent_on;     ///< what reached the upstream whole
  std::size_t requests = 0;  ///< how many heads the upstream saw
  std::string failure;
};

/// Posts `body`, with a length or chunked, behind limits of gateway, route and a stage.
Outcome post(const std::string& head_and_body, const std::function<void(gw::Config&)>& edit) {
  World world([&](gw::Config& config) {
    add_script_routes(config);
    config.limits.body = 10;
    edit(config);
  });
  const auto upstream = world.upstream();
  upstream->responses = {ok};
  const auto client = world.client();
  client->receive(head_and_body);
  client->receive_end();
  world.run();
  const std::vector<Message> got = read_responses(client->written());
  REQUIRE(got.size() == 1);
  Outcome outcome;
  outcome.status = got[0].status;
  outcome.requests = upstream->requests.size();
  if (outcome.requests > 0 && upstream->requests[0].is_complete) outcome.sent_on = upstream->requests[0].body;
  if (!world.counts.failures.empty()) outcome.failure = world.counts.failures[0];
  return outcome;
}

std::string counted(const std::string& body, const std::string& target = "/") {
  return "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string chunked(const std::vector<std::string>& pieces, const std::string& target = "/") {
  std::string text = "POST " + target + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& piece : pieces) {
    gw::h1::append_chunk_head(text, piece.size());
    text += piece + "\r\n";
  }
  return text + "0\r\n\r\n";
}

void route_limit(gw::Config& config, std::uint64_t limit) {
  for (gw::RouteConfig& route : config.routes) route.limits.body = limit;
}
void stage(gw::Config& config, std::uint64_t size) { config.use.push_back(gw::body_limit({.size = size})); }

}  // namespace

TEST_CASE("limits.body: the lowest limit of gateway and stage, or that of the route, decides") {
  const struct {
    const char* what;
    std::function<void(gw::Config&)> edit;
    std::size_t limit;
  } cases[] = {
      {"the gateway's", [](gw::Config&) {}, 10},
      {"a lower one of the route", [](gw::Config& c) { route_limit(c, 4); }, 4},
      {"a higher one of the route", [](gw::Config& c) { route_limit(c, 30); }, 30},
      {"none of the route", [](gw::Config& c) { route_limit(c, 0); }, 0},
      {"a stage", [](gw::Config& c) { stage(c, 3); }, 3},
      {"a stage does not raise", [](gw::Config& c) { stage(c, 30); }, 10},
      {"a stage lowers what a route has raised", [](gw::Config& c) { route_limit(c, 30), stage(c, 20); }, 20},
      {"two stages", [](gw::Config& c) { stage(c, 5), stage(c, 8); }, 5},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const std::string fits(c.limit, 'x'), too_large(c.limit + 1, 'x');
    if (c.limit > 0) {
      CHECK(post(counted(fits), c.edit).sent_on == fits);
      CHECK(post(chunked({fits}), c.edit).sent_on == fits);
      CHECK(post(chunked({"x", fits.substr(1) + ""}), c.edit).status == 200);
    }
    const Outcome refused = post(counted(too_large), c.edit);
    CHECK(refused.status == 413);
    CHECK(refused.requests == 0);
    CHECK(refused.failure == "body_too_large");
    const Outcome cut = post(chunked({too_large}), c.edit);
    CHECK(cut.status == 413);
    CHECK(cut.sent_on == "");
    CHECK(cut.failure == "body_too_large");
    if (c.limit > 0) CHECK(post(chunked({fits, "x"}), c.edit).sent_on == "");
  }
}

TEST_CASE("limits.body: a handler that reads gets 413, too") {
  CHECK(post(counted("0123456789", "/echo"), [](gw::Config&) {}).status == 200);
  CHECK(post(counted("0123456789a", "/echo"), [](gw::Config&) {}).status == 413);
  CHECK(post(chunked({"0123456789", "a"}, "/echo"), [](gw::Config&) {}).status == 413);
}

TEST_CASE("limits.body: a client that waits for 100 Continue is refused before it sends") {
  World world([](gw::Config& config) { config.limits.body = 10; });
  const auto upstream = world.upstream();
  const auto client = world.client();
  client->receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  client->on_write = [&](std::string_view) { client->receive_end(); };
  world.run();
  const std::vector<Message> got = read_responses(client->written());
  REQUIRE(got.size() == 1);
  CHECK(got[0].status == 413);
  CHECK(got[0].headers["connection"] == "close");
  CHECK(upstream->requests.empty());
}

TEST_CASE("limits.body: a limit of one request is forgotten with it") {
  World world([](gw::Config& config) {
    add_script_routes(config);
    config.limits.body = 10;
    config.routes[0].limits.body = 30;
  });
  const auto upstream = world.upstream();
  upstream->responses = {ok, ok};
  const auto client = world.client();
  const std::string twenty(20, 'x');
  client->receive(counted(twenty) + counted(twenty, "/echo"));
  client->receive_end();
  world.run();
  const std::vector<Message> got = read_responses(client->written());
  REQUIRE(got.size() == 2);
  CHECK(got[0].status == 200);
  CHECK(got[1].status == 413);
}

TEST_CASE("body_limit: without a gateway it looks at what is declared") {
  for (const std::size_t size : {std::size_t{5}, std::size_t{6}}) {
    gw::Context c;
    c.req.body = gw::Body(std::string(size, 'x'));
    gw::BodyLimit({.size = 5}).request(c);
    CHECK(c.has_reply() == (size > 5));
    if (c.has_reply()) CHECK(c.res.status == 413);
  }
}
