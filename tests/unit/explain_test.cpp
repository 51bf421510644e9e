#include <gw/gateway.hpp>
#include <gw/middleware/cors.hpp>

#include "route_precedence.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using gw::Method;
using gw::RouteRule;

namespace {

/// A gateway with an upstream of one endpoint and one of two.
gw::Gateway gateway() {
  gw::Gateway app;
  app.upstream("one", {"10.0.0.1:8080"});
  app.upstream("two", {"10.0.0.1:8080", "10.0.0.2:8080"});
  return app;
}

std::string lost_on(const gw::Explanation& e, std::string_view route) {
  for (const gw::LostRoute& lost : e.lost)
    if (lost.name == route) return lost.lost_on;
  return "-";
}

}  // namespace

TEST_CASE("explain: each route that lost says on what") {
  gw::Gateway app = gateway();
  app.path("/users/{id}").name("winner").forward("one");
  app.prefix("/").name("host").host("api.example.com").forward("one");
  app.prefix("/foo").name("path").forward("one");
  app.path("/users/{id}").name("method").methods({Method::post}).forward("one");
  app.path("/users/{id}").name("header").header("x-version", "2").forward("one");
  app.path("/users/{id}").name("query").query("debug", "*").forward("one");
  app.prefix("/users").name("shorter").forward("one");
  const gw::Explanation e = app.explain(gw::Request(Method::get, "/users/7?x"));
  CHECK(e.route == "winner");
  CHECK(e.path == "/users/7");
  CHECK(e.status == 0);
  CHECK(lost_on(e, "host") == "host");
  CHECK(lost_on(e, "path") == "path");
  CHECK(lost_on(e, "method") == "method");
  CHECK(lost_on(e, "header") == "header x-version");
  CHECK(lost_on(e, "query") == "query debug");
  CHECK(lost_on(e, "shorter") == "precedence: path");
  CHECK(lost_on(e, "winner") == "-");
}

TEST_CASE("explain: the head says to which protocols the connection may be switched") {
  gw::Gateway app = gateway();
  app.prefix("/default").forward("one");
  app.prefix("/none").upgrade({}).forward("one");
  app.prefix("/tcp").upgrade({"tcp"}).forward("one");
  const struct {
    std::string path, upgrade;
    std::vector<std::string> head;
  } cases[] = {
      {"/default", "websocket", {"Connection: upgrade", "Upgrade: websocket"}},
      {"/default", "tcp", {}},
      {"/none", "websocket", {}},
      {"/tcp", "websocket, tcp", {"Connection: upgrade", "Upgrade: tcp"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.path);
    CAPTURE(c.upgrade);
    gw::Request request(Method::get, c.path);
    request.headers.add("Connection", "Upgrade");
    request.headers.add("Upgrade", c.upgrade);
    std::vector<std::string> head;
    for (const std::string& line : app.explain(request).head)
      if (line.starts_with("Connection") || line.starts_with("Upgrade")) head.push_back(line);
    CHECK(head == c.head);
  }
}

TEST_CASE("explain: the head that would go upstream, with run-time values by name") {
  gw::Gateway app = gateway();
  app.prefix("/api").strip_prefix().rewrite("/v2{rest}").forward("one");
  app.prefix("/two").preserve_host().forward("two");
  gw::Request request(Method::post, "/api/x?y", gw::Body("content"));
  request.headers.add("X-User", "7");
  request.headers.add("X-Forwarded-For", "6.6.6.6");
  const gw::Explanation e = app.explain(request);
  CHECK(e.upstream == "one");
  CHECK(e.endpoints == std::vector<std::string>{"10.0.0.1:8080"});
  CHECK(e.head == std::vector<std::string>{"POST /v2/x?y HTTP/1.1", "Host: 10.0.0.1:8080", "X-User: 7", "Via: 1.1 <gateway>",
                                           "X-Forwarded-For: <client address>", "X-Forwarded-Proto: http", "X-Forwarded-Host: localhost",
                                           "X-Forwarded-Port: <listener port>", "Content-Length: 7"});
  CHECK(app.explain(gw::Request(Method::get, "/two")).head.at(1) == "Host: localhost");
  app.prefix("/three").forward("two");
  CHECK(app.explain(gw::Request(Method::get, "/three")).head.at(1) == "Host: <endpoint>");
}

TEST_CASE("explain: what gw answers itself, and nothing of the program runs") {
  bool has_run = false;
  gw::Gateway app = gateway();
  struct Stage {
    bool* has_run;
    void request(gw::Context&) const { *has_run = true; }
    void done(const gw::Context&) const { *has_run = true; }
  };
  app.use(gw::Stage(Stage{&has_run}, "mine"));
  app.get("/code", [&](gw::Context&) { return has_run = true, "x"; });
  app.prefix("/old").redirect("/new{rest}", 308);
  app.path("/up").reply(gw::Json("{}"));
  app.path("/post").methods({Method::post}).limits({.body = 3}).forward("one");

  const gw::Explanation code = app.explain(gw::Request(Method::get, "/code"));
  CHECK(code.is_handler);
  CHECK(code.status == 0);
  CHECK(code.stages == std::vector<std::string>{"mine"});
  const gw::Explanation redirect = app.explain(gw::Request(Method::get, "/old/x?y"));
  CHECK(redirect.status == 308);
  CHECK(redirect.location == "/new/x?y");
  CHECK(app.explain(gw::Request(Method::get, "/up")).status == 200);
  const gw::Explanation unknown = app.explain(gw::Request(Method::get, "/nowhere"));
  CHECK(unknown.status == 404);
  CHECK_FALSE(unknown.route.has_value());
  CHECK(unknown.lost.size() == 4);
  CHECK(app.explain(gw::Request(Method::get, "/post")).status == 405);
  CHECK(app.explain(gw::Request(Method::get, "/%00")).status == 400);
  CHECK(app.explain(gw::Request(Method::post, "/post", gw::Body("four"))).status == 413);
  gw::Request two_hosts(Method::get, "/up");
  two_hosts.headers.add("Host", "a b");
  CHECK(app.explain(two_hosts).status == 400);
  CHECK_FALSE(has_run);
}

TEST_CASE("explain: a preflight is answered by cors, also where no route takes its method") {
  gw::Gateway app = gateway();
  app.path("/get").name("get").methods({Method::get}).use(gw::cors({.origins = {"https://app.example"}})).forward("one");
  app.path("/any").name("any").use(gw::cors({.origins = {"https://app.example"}})).forward("one");
  app.path("/none").name("none").methods({Method::get}).forward("one");
  const auto ask = [&](const char* target, const char* asked_method) {
    gw::Request request(Method::options, target);
    request.headers.add("Origin", "https://app.example");
    if (asked_method) request.headers.add("Access-Control-Request-Method", asked_method);
    return app.explain(request);
  };
  struct Case {
    const char* target;
    const char* asked_method;
    int status;
    const char* route;
  };
  const Case cases[] = {{"/get", "GET", 204, "get"},  {"/get", "PUT", 405, ""},  {"/get", nullptr, 405, ""},
                        {"/any", "GET", 204, "any"}, {"/any", nullptr, 0, "any"}, {"/none", "GET", 405, "none"}};
  for (const Case& c : cases) {
    CAPTURE(c.target);
    CAPTURE(c.asked_method);
    const gw::Explanation e = ask(c.target, c.asked_method);
    CHECK(e.status == c.status);
    CHECK(e.route.value_or("") == c.route);
    CHECK(e.head.empty() == (c.status != 0));
  }
}

TEST_CASE("explain: a request of HTTP/1.0 may have no Host") {
  gw::Gateway app = gateway();
  app.prefix("/").forward("one");
  gw::Request request(Method::get, "/");
  request.version = gw::Version::http10;
  CHECK(app.explain(request).head == std::vector<std::string>{"GET / HTTP/1.1", "Host: 10.0.0.1:8080", "Via: 1.0 <gateway>",
                                                              "X-Forwarded-For: <client address>", "X-Forwarded-Proto: http",
                                                              "X-Forwarded-Port: <listener port>"});
}

TEST_CASE("explain: as text and as JSON") {
  gw::Gateway app = gateway();
  app.use(gw::Stage([](gw::Context&, gw::Next next) { return next(); }, "mine"));
  app.path("/a").name("exact").forward("one");
  app.prefix("/").name("all").reply(204);
  CHECK(app.explain(gw::Request(Method::get, "/a")).text() ==
        "request   GET /a\n"
        "path      /a\n"
        "route     exact\n"
        "  not     all  precedence: path: \"exact\" is preferred: from the left, its path is more exact\n"
        "stages    mine\n"
        "upstream  one (10.0.0.1:8080)\n"
        "\n"
        "  GET /a HTTP/1.1\n"
        "  Host: 10.0.0.1:8080\n"
        "  Via: 1.1 <gateway>\n"
        "  X-Forwarded-For: <client address>\n"
        "  X-Forwarded-Proto: http\n"
        "  X-Forwarded-Host: localhost\n"
        "  X-Forwarded-Port: <listener port>\n");
  const std::string json = app.explain(gw::Request(Method::get, "/b\"")).json();
  CHECK(json.find("\"request\": \"GET /b\\\"\"") != json.npos);
  CHECK(json.find("\"route\": \"all\"") != json.npos);
  CHECK(json.find("\"status\": 204") != json.npos);
}

TEST_CASE("explain: bytes that are no UTF-8 leave JSON what it is") {
  gw::Gateway app = gateway();
  app.prefix("/").forward("one");
  gw::Request request(Method::get, "/");
  request.headers.add("x-name", "caf\xe9 \xc3\xa9");
  CHECK(app.explain(request).json().find("\"x-name: caf\\ufffd \xc3\xa9\"") != std::string::npos);
}

TEST_CASE("explain: a configuration that is wrong is told as check tells it") {
  gw::Gateway app;
  app.prefix("/").forward("nowhere");
  CHECK_THROWS_AS(app.explain(gw::Request(Method::get, "/")), gw::ConfigError);
}

TEST_CASE("explain: it gives a reason for every route that lost, and none for the one that won") {
  std::mt19937 random(7);
  const auto pick = [&](auto list) { return list.begin()[random() % list.size()]; };
  using Texts = std::initializer_list<const char*>;
  for (int round = 0; round < 300; ++round) {
    gw::RouterBuilder<int> builder;
    std::vector<RouteRule> rules;
    for (unsigned i = 0; i < 2 + random() % 8; ++i) {
      RouteRule rule;
      rule.name = "route " + std::to_string(i);
      rule.kind = random() % 2 ? RouteRule::Kind::path : RouteRule::Kind::prefix;
      rule.pattern = pick(Texts{"/", "/a", "/{x}", "/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/"});
      if (random() % 3 == 0) rule.hosts = {pick(Texts{"a.b.c", "*.b.c", "*.c"})};
      if (random() % 3 == 0) rule.methods = random() % 2 ? gw::MethodSet{Method::get} : gw::MethodSet{Method::head, Method::post};
      if (random() % 3 == 0) rule.headers = {{"h", pick(Texts{"*", "1"})}};
      if (random() % 3 == 0) rule.query = {{"q", pick(Texts{"*", "1"})}};
      rules.push_back(rule);
      builder.add(rule, 0);
    }
    const auto built = builder.build();
    if (!built.problems.empty()) continue;
    for (int asked = 0; asked < 20; ++asked) {
      gw::Headers headers;
      if (random() % 2) headers.add("H", "1");
      const std::string path = pick(Texts{"/", "/a", "/a/", "/b", "/a/b", "/a/c", "/b/b", "/b/c/d"});
      const gw::RouteQuery request{pick(std::initializer_list<Method>{Method::get, Method::head, Method::post}), pick(Texts{"", "a.b.c", "x.b.c", "x.c"}),
                                   path, pick(Texts{"", "q", "q=1"}), &headers};
      const auto match = built.router.match(request);
      for (const RouteRule& rule : rules) {
        const gw::RouteReason reason = gw::why_not(rule, request);
        if (match && rule.name == match.name) {
          CHECK(reason.on == "");
          CHECK(gw::why_preferred(rule, rule, request).on == "");
        } else if (reason.on.empty()) {
          REQUIRE(match);
          CHECK(gw::why_preferred(rules[match.index], rule, request).on != "");
          CHECK(gw::why_preferred(rule, rules[match.index], request).on == "");
        }
      }
    }
  }
}

TEST_CASE("explain: where a request comes from decides whom what it says is believed of") {
  struct Row {
    std::string peer, forwarded_for;
  };
  const Row rows[] = {{"", "<client address>"}, {"10.0.0.9", "6.6.6.6, 10.0.0.9"}, {"192.0.2.1", "192.0.2.1"}};
  gw::Gateway app = gateway();
  app.listen("127.0.0.1:0", {.trusted = {"10.0.0.0/8"}});
  app.prefix("/").forward("one");
  gw::Request request(Method::get, "/");
  request.headers.add("X-Forwarded-For", "6.6.6.6");
  for (const Row& row : rows) {
    CAPTURE(row.peer);
    const std::vector<std::string> head = app.explain(request, row.peer).head;
    CHECK(std::find(head.begin(), head.end(), "X-Forwarded-For: " + row.forwarded_for) != head.end());
  }
}
