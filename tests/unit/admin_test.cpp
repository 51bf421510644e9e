#include <doctest/doctest.h>

#include "support/http_client.hpp"

#include <gw/gateway.hpp>
#include <gw/metrics.hpp>

#include <mutex>
#include <string>
#include <vector>

using namespace gw_test;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

std::string problems_of(gw::Gateway& app) {
  try {
    const gw::Server server = app.start();
  } catch (const gw::ConfigError& e) {
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("admin: a program opens it with one line, and finds its port") {
  gw::Gateway app;
  app.get("/ping", [](gw::Context&) { return "pong"; });
  app.admin("127.0.0.1:0");
  const gw::Server server = app.start("127.0.0.1:0");
  REQUIRE(server.admin_port() != 0);
  CHECK(server.admin_port() != server.port());
  CHECK(get(server.port(), "/ping").body == "pong");
  const Reply health = get(server.admin_port(), "/health");
  CHECK(health.status == 200);
  CHECK(health.body == "{\"status\":\"ok\"}");
  CHECK(has(get(server.admin_port(), "/config").body, "\"handler\": \"<code>\""));
}

TEST_CASE("admin: without it there is no port, and a reload may bring it and take it away") {
  gw::Gateway app;
  app.get("/ping", [](gw::Context&) { return "pong"; });
  const gw::Server server = app.start("127.0.0.1:0");
  CHECK(server.admin_port() == 0);
  gw::Config next = app.config();
  next.admin.address = "127.0.0.1:0";
  app.apply(next);
  REQUIRE(server.admin_port() != 0);
  CHECK(get(server.admin_port(), "/routes").status == 200);
  next.admin = {};
  app.apply(next);
  CHECK(server.admin_port() == 0);
}

TEST_CASE("admin: its address is checked like those of listeners, and an exposed one is warned of") {
  gw::Gateway app;
  std::mutex mutex;
  std::vector<std::string> warnings;
  app.log_to([&](gw::LogLevel level, std::string_view line) {
    const std::lock_guard lock(mutex);
    if (level == gw::LogLevel::warning) warnings.emplace_back(line);
  });
  app.get("/ping", [](gw::Context&) { return "pong"; });
  app.listen("127.0.0.1:1");
  app.admin("127.0.0.1:1");
  CHECK(problems_of(app) == "admin.listen: the address \"127.0.0.1:1\" is taken by listen[0]");
  app.admin("nonsense");
  CHECK(has(problems_of(app), "admin.listen: \"nonsense\" is no address to listen on"));
  app.config().listen.clear();
  app.listen("127.0.0.1:0").admin("0.0.0.0:0");
  {
    const gw::Server server = app.start();
    CHECK(get(server.admin_port(), "/health").status == 200);
  }
  REQUIRE(warnings.size() == 1);
  CHECK(has(warnings[0], "whoever reaches the admin listener can read"));
}

TEST_CASE("metrics: a route tells them, dispatch counts, and counters go on after a start") {
  gw::Gateway app;
  app.get("/metrics", gw::metrics());
  app.get("/ping", [](gw::Context&) { return "pong"; });
  CHECK(app.dispatch(gw::Method::get, "/ping").status == 200);
  const gw::Server server = app.start("127.0.0.1:0");
  CHECK(app.dispatch(gw::Method::get, "/ping", "content").status == 200);
  CHECK(get(server.port(), "/ping").status == 200);
  CHECK(get(server.port(), "/none").status == 404);
  // Read by dispatch: what came before on the socket may not have ended when its response is here.
  std::string text;
  const auto are_counted = [&] { return has(text, "status=\"404\"} 1\n") && has(text, "gw_requests_in_flight 1\n"); };
  for (int i = 0; i < 10000 && !are_counted(); ++i) text = std::string(app.dispatch(gw::Method::get, "/metrics").body.text());
  CHECK(has(text, "gw_requests_total{route=\"\",status=\"404\"} 1\n"));
  CHECK(has(text, "gw_requests_total{route=\"/ping\",status=\"200\"} 2\n"));
  CHECK(has(text, "gw_request_body_bytes_total{route=\"/ping\"} 7\n"));
  CHECK(has(text, "gw_response_body_bytes_total{route=\"/ping\"} 8\n"));
  CHECK(has(text, "gw_config_version 1\n"));
  CHECK(has(text, "gw_requests_in_flight 1\n"));
}
