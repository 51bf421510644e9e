#include <doctest/doctest.h>

#include <gw/gw.hpp>

#include "support/http_client.hpp"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using gw_test::HttpClient, gw_test::TestServer;

namespace {

gw::Handler say(std::string word) {
  return gw::Handler([word = std::move(word)](gw::Context&) { return word; });
}

gw::RouteConfig route(std::string pattern, gw::Handler handler) {
  gw::RouteConfig r;
  r.rule.pattern = std::move(pattern);
  r.action = gw::HandlerConfig{"", std::move(handler), {}};
  return r;
}

std::size_t problems_of(const std::function<void()>& f) {
  try {
    f();
    return 0;
  } catch (const gw::ConfigError& e) {
    return e.problems().size();
  }
}

/// A file that disappears with the test.
class File {
 public:
  File() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gw-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  ~File() { std::filesystem::remove_all(directory_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::string path() const { return (directory_ / "gw.yaml").string(); }
  void write(const std::string& text) const { std::ofstream(path()) << text; }
  void remove() const { std::filesystem::remove(path()); }

 private:
  std::filesystem::path directory_;
};

}  // namespace

TEST_CASE("reload: a configuration with problems changes nothing") {
  gw::Gateway app;
  app.prefix("/").handle(say("old"));
  const gw::Server server = app.start("127.0.0.1:0");

  gw::Config wrong = app.config();
  wrong.routes[0] = route("/", say("new"));
  gw::RouteConfig lost;
  lost.rule.pattern = "/lost";
  lost.action = gw::ForwardConfig{"nobody", {}};
  wrong.routes.push_back(lost);
  wrong.use.push_back(gw::StageConfig("unknown", {}));
  wrong.timeouts.client_idle = std::chrono::milliseconds(0);
  wrong.listen.push_back({"127.0.0.1:0", {}});
  CHECK(problems_of([&] { app.apply(wrong); }) == 3);
  CHECK(gw_test::get(server.port(), "/").body == "old");
  CHECK(app.config().routes.size() == 1);
  CHECK(app.config().listen.size() == 1);

  wrong.routes.pop_back();
  wrong.use.clear();
  wrong.timeouts = {};
  app.apply(wrong);
  CHECK(gw_test::get(server.port(), "/").body == "new");
  CHECK(app.config().listen.size() == 2);
}

TEST_CASE("reload: requests that run keep the configuration they began with") {
  std::promise<void> entered, leave;
  const auto may_leave = leave.get_future().share();
  gw::Gateway app;
  app.prefix("/").handle([&](gw::Context& c) -> gw::Task<std::string> {
    const auto wait = [&] {
      entered.set_value();
      may_leave.wait();
    };
    co_await gw::blocking(wait);
    // The upstream exists in the old configuration only.
    const gw::Upstream up("old_upstream");
    const gw::Result<gw::Response> r = co_await c.send(up, gw::Request(gw::Method::get, "/"));
    co_return r ? "reached" : std::string(gw::name_of(r.error().code));
  });
  std::uint16_t free_port;
  {
    const TestServer gone;
    free_port = gone.port();
  }
  app.upstream("old_upstream", {"127.0.0.1:" + std::to_string(free_port)});
  gw::Server server = app.start("127.0.0.1:0");
  HttpClient old(server.port());
  old.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  entered.get_future().wait();

  gw::Config next = app.config();
  next.routes = {route("/", say("new"))};
  next.upstreams.clear();
  app.apply(next);
  CHECK(gw_test::get(server.port(), "/").body == "new");
  leave.set_value();
  CHECK(old.read_reply().body == "connect_failed");
  CHECK(old.get("/").body == "new");
}

TEST_CASE("reload: configurations change under load without a wrong answer") {
  gw::Gateway app;
  app.config().workers = 2;
  app.prefix("/").handle(say("0"));
  const gw::Server server = app.start("127.0.0.1:0");
  std::atomic<bool> is_over = false;
  std::atomic<int> asked = 0, wrong = 0;
  std::vector<std::thread> clients;
  for (int t = 0; t < 3; ++t) {
    clients.emplace_back([&] {
      HttpClient client(server.port());
      int last = 0;
      while (!is_over) {
        const gw_test::Reply reply = client.get("/x");
        const int now = reply.status == 200 ? std::stoi(reply.body) : -1;
        // One connection stays on one worker, so it never sees an older configuration again.
        if (now < last) ++wrong;
        last = now;
        ++asked;
      }
    });
  }
  for (int i = 1; i <= 50; ++i) {
    gw::Config next = app.config();
    next.routes = {route("/", say(std::to_string(i)))};
    app.apply(next);
    const int before = asked;
    while (asked < before + 3) std::this_thread::yield();
  }
  is_over = true;
  for (std::thread& client : clients) client.join();
  CHECK(wrong == 0);
}

TEST_CASE("reload: listeners are opened and closed by address") {
  std::uint16_t ports[2];
  {
    const TestServer one, two;
    ports[0] = one.port();
    ports[1] = two.port();
  }
  const auto address = [&](int i) { return "127.0.0.1:" + std::to_string(ports[i]); };
  gw::Gateway app;
  app.prefix("/").handle(say("here"));
  const gw::Server server = app.start(address(0));
  HttpClient kept(ports[0]);
  CHECK(kept.get("/").body == "here");

  gw::Config both = app.config();
  both.listen.push_back({address(1), {}});
  app.apply(both);
  CHECK(gw_test::get(ports[0], "/").body == "here");
  CHECK(gw_test::get(ports[1], "/").body == "here");

  gw::Config second = app.config();
  second.listen.erase(second.listen.begin());
  app.apply(second);
  CHECK_FALSE(HttpClient::can_connect(ports[0]));
  CHECK(gw_test::get(ports[1], "/").body == "here");
  // A listener that is closed does not take its connections with it.
  CHECK(kept.get("/").body == "here");

  // The same address in other words stays open.
  gw::Config same = app.config();
  same.listen[0].address = ":" + std::to_string(ports[1]);
  app.apply(same);
  CHECK(gw_test::get(ports[1], "/").body == "here");

  // An address that is taken leaves everything as it is.
  TestServer other;
  gw::Config taken = app.config();
  taken.listen = {{other.address(), {}}, {address(0), {}}};
  taken.routes = {route("/", say("changed"))};
  CHECK(problems_of([&] { app.apply(taken); }) == 1);
  CHECK_FALSE(HttpClient::can_connect(ports[0]));
  CHECK(gw_test::get(ports[1], "/").body == "here");
}

TEST_CASE("reload: workers and the last listener cannot go while the gateway runs") {
  gw::Gateway app;
  app.config().workers = 2;
  app.prefix("/").handle(say("here"));
  {
    const gw::Server server = app.start("127.0.0.1:0");
    gw::Config next = app.config();
    next.workers = 3;
    next.listen.clear();
    CHECK(problems_of([&] { app.apply(next); }) == 2);
    CHECK(gw_test::get(server.port(), "/").body == "here");
  }
  gw::Config next = app.config();
  next.workers = 1;
  app.apply(next);
  const gw::Server server = app.start();
  CHECK(gw_test::get(server.port(), "/").body == "here");
}

TEST_CASE("reload: the configuration can be edited by hand and applied again") {
  gw::Gateway app;
  app.prefix("/").name("all").handle(say("old"));
  const gw::Server server = app.start("127.0.0.1:0");
  app.config().routes[0].rule.pattern = "/only";
  // Nothing happens until it is applied.
  CHECK(gw_test::get(server.port(), "/x").body == "old");
  app.apply(app.config());
  CHECK(gw_test::get(server.port(), "/x").status == 404);
  CHECK(gw_test::get(server.port(), "/only").body == "old");
  app.get("/more", say("more"));
  app.reload();
  CHECK(gw_test::get(server.port(), "/more").body == "more");
}

TEST_CASE("reload: a handler and a stage may apply a configuration themselves") {
  gw::Gateway app;
  app.config().workers = 2;
  std::atomic<int> applied = 0;
  app.get("/apply", [&](gw::Context&) {
    app.apply(app.config());
    return std::to_string(++applied);
  });
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  for (int i = 1; i <= 5; ++i) CHECK(client.get("/apply").body == std::to_string(i));
}

TEST_CASE("reload: a file, what code adds to it, and the names that code defines") {
  const File file;
  file.write("listen: 127.0.0.1:0\nuse: [mark]\nroutes:\n  - {path: /file, handler: word}\n");
  struct Mark {
    void response(gw::Context& c) const { c.res.headers.set("x-mark", "1"); }
  };
  gw::Gateway app = gw::Gateway::from_file(file.path());
  app.define("mark", Mark{});
  app.define_handler("word", say("first"));
  app.get("/code", say("code"));
  const gw::Server server = app.start();
  CHECK(gw_test::get(server.port(), "/file").body == "first");
  CHECK(gw_test::get(server.port(), "/file").headers.count("x-mark") == 1);
  CHECK(gw_test::get(server.port(), "/code").body == "code");

  file.write("listen: 127.0.0.1:0\nroutes:\n  - {path: /other, handler: word}\n");
  app.reload();
  CHECK(gw_test::get(server.port(), "/file").status == 404);
  CHECK(gw_test::get(server.port(), "/other").body == "first");
  CHECK(gw_test::get(server.port(), "/other").headers.count("x-mark") == 0);
  CHECK(gw_test::get(server.port(), "/code").body == "code");

  const std::pair<const char*, const char*> wrong[] = {
      {"a clash with code", "listen: 127.0.0.1:0\nroutes:\n  - {path: /code, methods: [GET], handler: word}\n"},
      {"a name that nobody defined", "listen: 127.0.0.1:0\nroutes:\n  - {path: /x, handler: wrod}\n"},
      {"no YAML", "listen: [\n"},
  };
  for (const auto& [what, text] : wrong) {
    CAPTURE(std::string(what));
    file.write(text);
    CHECK(problems_of([&] { app.reload(); }) >= 1);
    CHECK(gw_test::get(server.port(), "/other").body == "first");
    CHECK(gw_test::get(server.port(), "/code").body == "code");
  }
  file.remove();
  CHECK(problems_of([&] { app.reload(); }) == 1);
  CHECK(gw_test::get(server.port(), "/other").body == "first");
}

TEST_CASE("reload: of the settings for all routes code keeps those that it has changed, one by one") {
  const File file;
  const auto write = [&](int drain, int head, int fields, int wrong_method, const char* name_server) {
    file.write("listen: 127.0.0.1:0\ntimeouts: {drain: " + std::to_string(drain) + "s, client_idle: " + std::to_string(drain) + "s}\nlimits: {head: " +
               std::to_string(head) + ", fields: " + std::to_string(fields) + "}\nwrong_method: " + std::to_string(wrong_method) + "\nname_servers: [" +
               name_server + "]\n");
  };
  write(5, 20000, 20, 404, "127.0.0.1:5301");
  gw::Gateway app = gw::Gateway::from_file(file.path());
  app.config().timeouts.client_idle = std::chrono::seconds(9);
  app.config().limits.fields = 30;
  app.get("/", say("ok"));
  const gw::Server server = app.start();
  for (int round = 0; round < 2; ++round) {  // also the second time it is known what is whose
    write(6 + round, 30000 + round, 40, 405, "127.0.0.1:5302");
    app.reload();
    CHECK(app.config().timeouts.drain == std::chrono::seconds(6 + round));
    CHECK(app.config().timeouts.client_idle == std::chrono::seconds(9));
    CHECK(app.config().limits.head == static_cast<std::size_t>(30000 + round));
    CHECK(app.config().limits.fields == 30);
    CHECK(app.config().wrong_method == 405);
    CHECK(app.config().name_servers == std::vector<std::string>{"127.0.0.1:5302"});
  }
}

TEST_CASE("reload: new limits hold for the next request, also on connections that are there already") {
  TestServer upstream;
  gw::Gateway app;
  app.config().workers = 1;
  app.prefix("/").forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  const std::string field = "X-Large: " + std::string(2000, 'x') + "\r\n";
  std::optional<gw_test::Socket> connection;
  // What a client gets whose head, or the head of whose response, has the field.
  const auto ask = [&](HttpClient& client, bool in_request) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n" + (in_request ? field : "") + "\r\n");
    if (in_request && app.config().limits.head < 2000) return client.read_reply().status;
    if (!connection) connection.emplace(upstream.accept());
    connection->read_until("\r\n\r\n");
    connection->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + (in_request ? "" : field) + "\r\n");
    return client.read_reply().status;
  };
  HttpClient first(server.port()), second(server.port());
  CHECK(ask(first, true) == 200);
  CHECK(ask(second, false) == 200);
  gw::Config narrow = app.config();
  narrow.limits.head = narrow.limits.target = 1024;
  app.apply(narrow);
  CHECK(ask(first, true) == 431);
  CHECK(ask(second, false) == 502);
  connection.reset();
  gw::Config wide = app.config();
  wide.limits = {};
  app.apply(wide);
  CHECK(ask(second, false) == 200);
  CHECK(ask(second, true) == 200);
}

TEST_CASE("reload: upstream connections survive a configuration that keeps their address") {
  TestServer upstream;
  gw::Gateway app;
  app.config().workers = 1;
  app.prefix("/").forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  gw_test::Socket connection = upstream.accept();
  connection.read_until("\r\n\r\n");
  connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
  CHECK(client.read_reply().body == "1");
  app.apply(app.config());
  client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(connection.read_until("\r\n\r\n").starts_with("GET /2 "));
  connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
  CHECK(client.read_reply().body == "2");
}
