#include <doctest/doctest.h>

#include <gw/gw.hpp>

#include "support/http_client.hpp"

#include <asio/post.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using gw::Method;

namespace {

std::string text_of(const gw::Response& response) { return std::string(response.body.text()); }

/// A stream of `count` pieces "x".
class Stream final : public gw::Body::Source {
 public:
  explicit Stream(int count) : left_(count) {}
  gw::Task<gw::Result<gw::Chunk>> read() override {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    if (left_ < 0) co_return gw::Failure(gw::Error::upstream_reset, gw::Origin::upstream);
    co_return left_-- > 0 ? gw::Chunk("x") : gw::Chunk();
  }

 private:
  int left_;
};

/// Answers with the body it was sent.
gw::Task<gw::Response> echo(gw::Context& c) {
  gw::Result<std::string> text = co_await c.req.body.text(1 << 20);
  if (!text) co_return gw::Response(gw::status_of(text.error().code));
  co_return gw::Response(std::move(*text));
}

}  // namespace

TEST_CASE("dispatch: the built routes answer without a start") {
  gw::Gateway app;
  app.get("/ping", [](gw::Context&) { return "pong"; });
  app.path("/users/{id}").handle([](gw::Context& c) { return "user " + std::string(c.params["id"]); });
  app.prefix("/files").handle([](gw::Context& c) { return std::string(c.req.path()) + '?' + std::string(c.req.query()); });

  gw::Response pong = app.dispatch(Method::get, "/ping");
  CHECK(pong.status == 200);
  CHECK(text_of(pong) == "pong");
  CHECK(pong.headers["content-type"] == "text/plain; charset=utf-8");
  CHECK(text_of(app.dispatch(Method::get, "/users/7")) == "user 7");
  CHECK(text_of(app.dispatch(Method::delete_, "/users/a%20b")) == "user a b");
  CHECK(text_of(app.dispatch(Method::get, "/files/./a//b/../c?x=1")) == "/files/a/c?x=1");
  // What was added since counts, too.
  app.get("/late", [](gw::Context&) { return "too"; });
  CHECK(text_of(app.dispatch(Method::get, "/late")) == "too");
}

TEST_CASE("dispatch: what no route takes is 404, 405 with Allow, or 400") {
  gw::Gateway app;
  app.get("/a", [](gw::Context&) { return "a"; });
  app.post("/a", [](gw::Context&) { return "a"; });
  gw::Response none = app.dispatch(Method::get, "/b");
  CHECK(none.status == 404);
  CHECK(none.headers["content-type"] == "application/json");
  CHECK(text_of(none) == R"({"message":"no Route matched with those values"})");
  const gw::Response wrong = app.dispatch(Method::put, "/a");
  CHECK(wrong.status == 405);
  CHECK(wrong.headers["allow"] == "GET, HEAD, POST");
  CHECK(app.dispatch(Method::get, "/a/%00").status == 400);
  CHECK(app.dispatch(Method::options, "*").status == 204);
}

TEST_CASE("dispatch: HEAD is answered by the GET route, without content") {
  gw::Gateway app;
  app.get("/a", [](gw::Context&) { return "content"; });
  gw::Response response = app.dispatch(Method::head, "/a");
  CHECK(response.status == 200);
  CHECK(text_of(response).empty());
  CHECK(response.headers["content-type"] == "text/plain; charset=utf-8");
}

TEST_CASE("dispatch: a handler may return a status, texts, JSON, a response, or tasks of them, or reply itself") {
  gw::Gateway app;
  app.get("/status", [](gw::Context&) { return 204; });
  app.get("/error", [](gw::Context&) { return 503; });
  app.get("/literal", [](gw::Context&) { return "text"; });
  app.get("/string", [](gw::Context&) { return std::string("text"); });
  app.get("/view", [](gw::Context&) { return std::string_view("text"); });
  app.get("/json", [](gw::Context&) { return gw::Json(R"({"a":1})"); });
  app.get("/response", [](gw::Context&) { return gw::Response(201, "made"); });
  app.get("/reply", [](gw::Context& c) { c.reply(202, "later"); });
  app.get("/task", [](gw::Context&) -> gw::Task<gw::Response> { co_return gw::Response("task"); });
  app.get("/task_text", [](gw::Context&) -> gw::Task<const char*> { co_return "task"; });
  app.get("/task_void", [](gw::Context& c) -> gw::Task<> {
    c.reply(203, "void");
    co_return;
  });
  app.get("/none", [](gw::Context&) {});
  app.get("/task_none", [](gw::Context&) -> gw::Task<> { co_return; });
  struct Case {
    const char* target;
    int status;
    std::string text;
  };
  const Case cases[] = {
      {"/status", 204, ""},           {"/error", 503, R"({"message":"Service Unavailable"})"},
      {"/literal", 200, "text"},      {"/string", 200, "text"},
      {"/view", 200, "text"},         {"/json", 200, R"({"a":1})"},
      {"/response", 201, "made"},     {"/reply", 202, "later"},
      {"/task", 200, "task"},         {"/task_text", 200, "task"},
      {"/task_void", 203, "void"},    {"/none", 500, R"({"message":"an unexpected error occurred"})"},
      {"/task_none", 500, R"({"message":"an unexpected error occurred"})"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    gw::Response response = app.dispatch(Method::get, c.target);
    CHECK(response.status == c.status);
    CHECK(text_of(response) == c.text);
  }
}

TEST_CASE("dispatch: what user code throws is logged and answered 500") {
  std::mutex mutex;
  std::vector<std::string> lines;
  gw::Gateway app;
  app.log_to([&](gw::LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  });
  app.get("/hook", [](gw::Context&) -> gw::Response { throw std::runtime_error("in a handler"); });
  app.get("/task", [](gw::Context&) -> gw::Task<gw::Response> {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    throw std::runtime_error("in a task");
  });
  app.get("/blocking", [](gw::Context&) -> gw::Task<gw::Response> {
    const auto fail = []() -> int { throw std::runtime_error("off the worker"); };
    co_return gw::Response(co_await gw::blocking(fail));
  });
  struct Throwing final : gw::Body::Source {
    gw::Task<gw::Result<gw::Chunk>> read() override { throw std::runtime_error("in a body"); }
  };
  app.get("/body", [](gw::Context& c) {
    gw::Response r(200);
    r.body = gw::Body(std::make_unique<Throwing>());
    c.reply(std::move(r));
  });
  int count = 0;
  for (const char* target : {"/hook", "/task", "/blocking", "/body"}) {
    CHECK(app.dispatch(Method::get, target).status == 500);
    const std::lock_guard lock(mutex);
    CHECK(lines.size() == static_cast<std::size_t>(++count));
  }
  CHECK(lines[0].find("in a handler") != std::string::npos);
  CHECK(lines[1].find("in a task") != std::string::npos);
  CHECK(lines[2].find("off the worker") != std::string::npos);
  CHECK(lines[3].find("in a body") != std::string::npos);
}

TEST_CASE("dispatch: stages run around, gateway's before route's, and done runs once") {
  struct Trace {
    std::string name;
    std::shared_ptr<std::string> to;
    void request(gw::Context&) const { *to += '>' + name; }
    void response(gw::Context&) const { *to += '<' + name; }
    void done(const gw::Context& c) const { *to += '=' + name + std::to_string(c.res.status) + (c.is_complete() ? "!" : "?"); }
  };
  const auto trace = std::make_shared<std::string>();
  gw::Gateway app;
  app.use(Trace{"g", trace});
  app.path("/a").use(Trace{"r", trace}).handle([](gw::Context&) { return "x"; });
  app.dispatch(Method::get, "/a");
  CHECK(*trace == ">g>r<r<g=g200!=r200!");
  trace->clear();
  app.dispatch(Method::get, "/nowhere");
  CHECK(*trace == ">g<g=g404!");
}

TEST_CASE("dispatch: bodies go in and come out whole, texts and streams") {
  gw::Gateway app;
  app.post("/echo", &echo);
  app.get("/stream", [](gw::Context& c) {
    gw::Response r(200);
    r.body = gw::Body(std::make_unique<Stream>(1000));
    c.reply(std::move(r));
  });
  app.get("/broken", [](gw::Context& c) {
    gw::Response r(200);
    r.body = gw::Body(std::make_unique<Stream>(-1));
    c.reply(std::move(r));
  });
  CHECK(text_of(app.dispatch(Method::post, "/echo", "hello")) == "hello");
  CHECK(text_of(app.dispatch(Method::post, "/echo", gw::Body(std::make_unique<Stream>(500)))) == std::string(500, 'x'));
  CHECK(text_of(app.dispatch(Method::get, "/stream")) == std::string(1000, 'x'));
  CHECK(app.dispatch(Method::get, "/broken").status == 502);
}

TEST_CASE("dispatch: a request made by a program has headers and a host, and no client") {
  gw::Gateway app;
  app.path("/a").host("api.example.com").header("x-version", "2").handle([](gw::Context& c) {
    return "2" + std::string(c.client_address()) + std::string(c.route());
  });
  gw::Request request(Method::get, "/a");
  request.headers.set("Host", "api.example.com:80");
  request.headers.set("X-Version", "2");
  CHECK(text_of(app.dispatch(std::move(request))) == "2/a");
  CHECK(app.dispatch(Method::get, "/a").status == 404);
}

TEST_CASE("dispatch: upstreams are asked over real connections, from routes and from code") {
  gw::Gateway service;
  service.prefix("/").handle([](gw::Context& c) -> gw::Task<gw::Response> {
    gw::Result<std::string> text = co_await c.req.body.text(1 << 20);
    gw::Response r(std::string(c.req.path()) + ':' + (text ? *text : "broken"));
    r.headers.set("X-Via", c.req.headers["via"]);
    r.headers.set("X-For", c.req.headers.get("x-forwarded-for").value_or("none"));
    co_return r;
  });
  const gw::Server server = service.start("127.0.0.1:0");

  gw::Gateway app;
  const gw::Upstream up = app.upstream("service", {server.address()}, {.base_path = "/v1"});
  app.prefix("/forward").strip_prefix().forward(up);
  app.prefix("/url").forward("http://" + server.address() + "/base/");
  app.get("/twice", [up](gw::Context& c) -> gw::Task<gw::Response> {
    gw::Result<gw::Response> one = co_await c.send(up, gw::Request(Method::get, "/one"));
    gw::Result<gw::Response> two = co_await c.send(up, gw::Request(Method::put, "/two", "body"));
    if (!one || !two) co_return gw::Response(502);
    // Two responses at once, read in the other order.
    const gw::Result<std::string> second = co_await two->body.text(100);
    const gw::Result<std::string> first = co_await one->body.text(100);
    co_return gw::Response(*first + ' ' + *second);
  });
  app.get("/unknown", [](gw::Context& c) -> gw::Task<gw::Response> {
    const gw::Upstream nobody("nobody");
    const gw::Result<gw::Response> r = co_await c.send(nobody, gw::Request(Method::get, "/"));
    co_return gw::Response(gw::status_of(r.error().code));
  });
  gw::Response forwarded = app.dispatch(Method::post, "/forward/x", "text");
  CHECK(text_of(forwarded) == "/v1/x:text");
  CHECK(forwarded.headers["x-via"].substr(0, 7) == "1.1 gw-");
  CHECK(forwarded.headers["x-for"] == "none");
  CHECK(text_of(app.dispatch(Method::get, "/url/x")) == "/base/url/x:");
  CHECK(text_of(app.dispatch(Method::get, "/twice")) == "/v1/one: /v1/two:body");
  CHECK(app.dispatch(Method::get, "/unknown").status == 503);
}

TEST_CASE("dispatch: a gateway that forwards to itself answers 508") {
  gw::Gateway loop;
  gw::Server server = loop.start("127.0.0.1:0");
  gw::Config config = loop.config();
  gw::RouteConfig route;
  route.rule.pattern = "/";
  route.action = gw::ForwardConfig{"http://" + server.address(), {}};
  config.routes.push_back(route);
  loop.apply(config);
  CHECK(gw_test::get(server.port(), "/").status == 508);
}

TEST_CASE("dispatch: upstreams that cannot be reached") {
  std::uint16_t free_port;
  {
    const gw_test::TestServer gone;
    free_port = gone.port();
  }
  gw::Gateway app;
  app.prefix("/refused").forward("http://127.0.0.1:" + std::to_string(free_port));
  CHECK(app.dispatch(Method::get, "/refused").status == 502);
}

TEST_CASE("dispatch: from many threads at once, started or not") {
  gw::Gateway app;
  app.path("/{n}").handle([](gw::Context& c) { return c.params["n"]; });
  for (const bool is_started : {false, true}) {
    std::optional<gw::Server> server;
    if (is_started) server.emplace(app.start("127.0.0.1:0"));
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 25; ++i) {
          const std::string n = std::to_string(100 * t + i);
          right += text_of(app.dispatch(Method::get, "/" + n)) == n;
        }
      });
    }
    for (std::thread& t : threads) t.join();
    CHECK(right == 100);
  }
}

TEST_CASE("dispatch: what is wrong with the configuration is thrown") {
  gw::Gateway app;
  app.get("/a", [](gw::Context&) { return "a"; });
  app.get("/a", [](gw::Context&) { return "b"; });
  app.path("/b").forward("nobody");
  try {
    app.dispatch(Method::get, "/a");
    FAIL("nothing was thrown");
  } catch (const gw::ConfigError& e) {
    CHECK(e.problems().size() == 2);
  }
}
