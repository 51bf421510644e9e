#include <doctest/doctest.h>

#include <gw/gw.hpp>

#include "support/http_client.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using gw_test::HttpClient, gw_test::Reply, gw_test::TestServer;

namespace {

/// A gateway with one route that says `word`.
gw::Gateway saying(std::string word) {
  gw::Gateway app;
  app.get("/", [word](gw::Context&) { return word; });
  return app;
}

/// What `f` throws, or nothing.
template <class F>
std::string problem_of(F&& f) {
  try {
    f();
    return {};
  } catch (const gw::ConfigError& e) {
    return e.what();
  }
}

/// Lines of a gateway's log, and waiting for one of them.
class Lines {
 public:
  gw::LogSink sink() {
    return [this](gw::LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
      changed_.notify_all();
    };
  }
  /// What follows `beginning` in the first line that begins so.
  std::string wait_for(const std::string& beginning) {
    std::unique_lock lock(mutex_);
    std::optional<std::string> rest;
    const auto found = [&] {
      for (const std::string& line : lines_)
        if (line.starts_with(beginning)) rest = line.substr(beginning.size());
      return rest.has_value();
    };
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20), found));
    return *rest;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

}  // namespace

TEST_CASE("gateway: it serves routes, and forwards to another gateway") {
  gw::Gateway service;
  service.prefix("/").handle([](gw::Context& c) {
    std::string seen(c.req.path());
    for (const char* name : {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"})
      seen.append("|").append(c.req.headers[name]);
    return seen;
  });
  service.listen("127.0.0.1:0", {.trusted = {"127.0.0.1"}});
  const gw::Server upstream = service.start();

  gw::Gateway app;
  app.get("/ping", [](gw::Context& c) { return std::string(c.client_address()); });
  app.prefix("/foo").forward("http://" + upstream.address());
  app.prefix("/kept").preserve_host().strip_prefix().forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  CHECK(server.port() != 0);
  CHECK(server.address() == "127.0.0.1:" + std::to_string(server.port()));

  HttpClient client(server.port());
  CHECK(client.get("/ping").body == "127.0.0.1");
  const std::string forwarded = "|127.0.0.1|http|example.com|" + std::to_string(server.port());
  CHECK(client.get("/foo/x").body == "/foo/x|" + upstream.address() + forwarded);
  CHECK(client.get("/kept/x").body == "/x|example.com" + forwarded);
  CHECK(client.get("/nowhere").status == 404);
  const Reply wrong = client.ask("POST", "/ping", {}, "body");
  CHECK(wrong.status == 405);
  CHECK(wrong.headers.at("allow") == "GET, HEAD");
  const Reply head = client.ask("HEAD", "/ping");
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == "9");
  CHECK(client.get("/ping").headers.count("date") == 1);
}

TEST_CASE("gateway: it starts and stops a hundred times") {
  gw::Gateway app = saying("here");
  app.config().workers = 2;
  for (int i = 0; i < 100; ++i) {
    gw::Server server = app.start("127.0.0.1:0");
    if (i % 10 == 0) CHECK(gw_test::get(server.port(), "/").body == "here");
    server.stop();
  }
  CHECK(app.config().listen.size() == 1);
}

TEST_CASE("gateway: several in one process do not know of each other") {
  gw::Gateway one = saying("one"), two = saying("two");
  const gw::Server first = one.start("127.0.0.1:0");
  {
    const gw::Server second = two.start("127.0.0.1:0");
    CHECK(gw_test::get(first.port(), "/").body == "one");
    CHECK(gw_test::get(second.port(), "/").body == "two");
  }
  CHECK(gw_test::get(first.port(), "/").body == "one");
}

TEST_CASE("gateway: a server that goes out of scope stops, one that is moved serves on") {
  gw::Gateway app = saying("here");
  std::uint16_t port = 0;
  {
    gw::Server first = app.start("127.0.0.1:0");
    gw::Server second = std::move(first);
    port = second.port();
    CHECK(gw_test::get(port, "/").body == "here");
  }
  CHECK_FALSE(HttpClient::can_connect(port));
}

TEST_CASE("gateway: an address that is taken is a problem that names it, and the gateway can start elsewhere") {
  TestServer other;
  gw::Gateway app = saying("here");
  const std::string taken = problem_of([&] { [[maybe_unused]] const gw::Server s = app.start(other.address()); });
  CHECK(taken.find(other.address()) != std::string::npos);
  CHECK(taken.find("in use") != std::string::npos);

  const gw::Server server = app.start("127.0.0.1:0");
  CHECK(gw_test::get(server.port(), "/").body == "here");
  gw::Gateway second = saying("second");
  CHECK(problem_of([&] { [[maybe_unused]] const gw::Server s = second.start(server.address()); }).find(server.address()) != std::string::npos);
  CHECK(gw_test::get(server.port(), "/").body == "here");
}

TEST_CASE("gateway: one of several addresses that is taken keeps all of them closed") {
  TestServer other;
  std::uint16_t free_port;
  {
    const TestServer gone;
    free_port = gone.port();
  }
  gw::Gateway app = saying("here");
  app.listen("127.0.0.1:" + std::to_string(free_port)).listen(other.address());
  CHECK(problem_of([&] { [[maybe_unused]] const gw::Server s = app.start(); }).find("listen[1]") != std::string::npos);
  CHECK_FALSE(HttpClient::can_connect(free_port));
}

TEST_CASE("gateway: what cannot be started says why") {
  gw::Gateway app = saying("here");
  CHECK(problem_of([&] { [[maybe_unused]] const gw::Server s = app.start(); }).find("nothing to listen on") != std::string::npos);
  CHECK_FALSE(problem_of([&] { [[maybe_unused]] const gw::Server s = app.start("nonsense"); }).empty());
  app.define("mine", gw::request_id());
  for (const auto& [name, hint] : {std::pair("acces_log", " (did you mean \"access_log\"?)"), std::pair("mime", " (did you mean \"mine\"?)")}) {
    app.config().use.push_back(gw::StageConfig(name, {}));
    CHECK(problem_of([&] { [[maybe_unused]] const gw::Server s = app.start("127.0.0.1:0"); }) == "use[0]: no stage is named \"" + std::string(name) + '"' + hint);
    app.config().use.clear();
  }
  {
    const gw::Server server = app.start("127.0.0.1:0");
    CHECK(problem_of([&] { [[maybe_unused]] const gw::Server s = app.start("127.0.0.1:0"); }).find("runs already") != std::string::npos);
    CHECK(gw_test::get(server.port(), "/").body == "here");
  }
  gw::Gateway wrong;
  wrong.path("/a").forward("nobody");
  wrong.path("/b{");
  wrong.listen("127.0.0.1:0");
  const std::string problems = problem_of([&] { wrong.check(); });
  CHECK(problems.find("nobody") != std::string::npos);
  CHECK(problems.find("/b{") != std::string::npos);
}

TEST_CASE("gateway: it listens on several addresses") {
  gw::Gateway app = saying("here");
  app.listen("127.0.0.1:0").listen(":0");
  const gw::Server server = app.start();
  CHECK(gw_test::get(server.port(), "/").body == "here");
}

TEST_CASE("gateway: run serves until another thread stops it") {
  for (int i = 0; i < 30; ++i) {
    Lines lines;
    gw::Gateway app = saying("here");
    app.config().workers = 1;
    app.log_to(lines.sink());
    std::thread running([&] { app.run("127.0.0.1:0"); });
    const std::string address = lines.wait_for("listening on ");
    // Every other time at once, before run() may have come to its wait.
    if (i % 2 == 0) CHECK(gw_test::get(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))), "/").body == "here");
    app.stop();
    running.join();
  }
}

TEST_CASE("gateway: stop without a start does nothing, also twice") {
  gw::Gateway app = saying("here");
  app.stop();
  gw::Server server = app.start("127.0.0.1:0");
  server.stop();
  server.stop();
  app.stop();
  CHECK(server.port() == 0);
}

TEST_CASE("gateway: a stop answers requests that run, and closes what is idle") {
  std::promise<void> entered, leave;
  const auto may_leave = leave.get_future().share();
  gw::Gateway app;
  app.config().workers = 1;
  app.get("/slow", [&](gw::Context&) -> gw::Task<const char*> {
    const auto wait = [&] {
      entered.set_value();
      may_leave.wait();
    };
    co_await gw::blocking(wait);
    co_return "slow";
  });
  app.get("/fast", [](gw::Context&) { return "fast"; });
  gw::Server server = app.start("127.0.0.1:0");
  HttpClient silent(server.port()), idle(server.port()), slow(server.port());
  CHECK(idle.get("/fast").body == "fast");
  slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  entered.get_future().wait();
  std::thread stopping([&] { server.stop(); });
  CHECK(silent.read_all().empty());
  CHECK(idle.read_all().empty());
  leave.set_value();
  const Reply reply = slow.read_reply();
  CHECK(reply.body == "slow");
  CHECK(reply.headers.at("connection") == "close");
  CHECK(slow.read_all().empty());
  stopping.join();
}

TEST_CASE("gateway: a request that outlasts the drain time is cut, and stop returns") {
  TestServer upstream;
  gw::Gateway app;
  app.config().timeouts.drain = std::chrono::milliseconds(1);
  app.prefix("/").forward("http://" + upstream.address());
  gw::Server server = app.start("127.0.0.1:0");
  HttpClient waiting(server.port()), streaming(server.port());
  waiting.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  gw_test::Socket first = upstream.accept();
  first.read_until("\r\n\r\n");
  streaming.send("GET /part HTTP/1.1\r\nHost: a\r\n\r\n");
  gw_test::Socket second = upstream.accept();
  second.read_until("\r\n\r\n");
  second.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart");
  CHECK(streaming.read_until("part").ends_with("part"));
  server.stop();
  CHECK(streaming.read_all().empty());
  const Reply cut = waiting.read_reply();
  CHECK((cut.status == 0 || cut.status == 503));
}

TEST_CASE("gateway: it runs functions on its workers, and survives what they throw") {
  Lines lines;
  gw::Gateway app = saying("here");
  app.config().workers = 2;
  app.log_to(lines.sink());
  app.post(0, [] { FAIL("there is no worker yet"); });
  const gw::Server server = app.start("127.0.0.1:0");
  std::promise<std::thread::id> first, again, second;
  app.post(0, [&] { first.set_value(std::this_thread::get_id()); });
  app.post(1, [&] { second.set_value(std::this_thread::get_id()); });
  app.post(0, [] { throw std::runtime_error("posted"); });
  app.post(0, [&] { again.set_value(std::this_thread::get_id()); });
  app.post(7, [] { FAIL("there is no such worker"); });
  const std::thread::id worker = first.get_future().get();
  CHECK(worker == again.get_future().get());
  CHECK(worker != second.get_future().get());
  CHECK(worker != std::this_thread::get_id());
  lines.wait_for("what was posted to a worker threw: posted");
}

TEST_CASE("gateway: above the limit of connections clients are told so") {
  gw::Gateway app = saying("here");
  app.config().limits.connections = 2;
  const gw::Server server = app.start("127.0.0.1:0");
  std::optional<HttpClient> first(server.port()), second(server.port());
  CHECK(first->get("/").body == "here");
  CHECK(second->get("/").body == "here");
  HttpClient third(server.port());
  const Reply reply = third.read_reply();
  CHECK(reply.status == 503);
  CHECK(reply.is_complete);
  CHECK(reply.body == R"({"message":"the gateway is overloaded; try again later"})");
  CHECK(third.read_all().empty());
  first.reset();
  // Its place is free as soon as the gateway has seen that it is gone.
  for (int tries = 0;; ++tries) {
    HttpClient next(server.port());
    if (next.get("/").status == 200) break;
    REQUIRE(tries < 10'000);
  }
}

TEST_CASE("gateway: it can be moved before it is started") {
  gw::Gateway made = saying("here");
  const gw::Upstream up = made.upstream("up", {"127.0.0.1:1"});
  gw::Gateway app = std::move(made);
  app.prefix("/up").forward(up);
  const gw::Server server = app.start("127.0.0.1:0");
  CHECK(gw_test::get(server.port(), "/").body == "here");
  CHECK(gw_test::get(server.port(), "/up").status == 502);
}

TEST_CASE("gateway: a configuration can be given whole") {
  gw::Config config;
  gw::RouteConfig route;
  route.rule.pattern = "/a";
  route.action = gw::HandlerConfig{"", gw::Handler([](gw::Context& c) { return std::string(c.route()); }), {}};
  config.routes.push_back(route);
  config.listen.push_back({"127.0.0.1:0", {}});
  gw::Gateway app(config);
  const gw::Server server = app.start();
  CHECK(gw_test::get(server.port(), "/a/b").body == "/a");
}
