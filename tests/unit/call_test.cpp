#include <doctest/doctest.h>

#include <gw/gw.hpp>

#include "support/http_client.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using gw_test::HttpClient, gw_test::Reply, gw_test::Socket, gw_test::TestServer;

namespace {

/// A gateway with one worker that forwards everything to `upstream`.
struct Proxy {
  explicit Proxy(const TestServer& upstream, gw::UpstreamOptions options = {}) : Proxy(upstream.address(), std::move(options)) {}
  explicit Proxy(const std::string& address, gw::UpstreamOptions options = {}) {
    app.config().workers = 1;
    options.retries.max = 0;
    app.prefix("/").forward(app.upstream("up", {address}, std::move(options)));
    server.emplace(app.start("127.0.0.1:0"));
  }
  gw::Gateway app;
  std::optional<gw::Server> server;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("call: a connection is used again, and a new one is made while it is busy") {
  TestServer upstream;
  Proxy proxy(upstream);
  HttpClient first(proxy.server->port()), second(proxy.server->port());
  first.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket one = upstream.accept();
  CHECK(one.read_until("\r\n\r\n").starts_with("GET /1 HTTP/1.1\r\nHost: " + upstream.address() + "\r\n"));
  second.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket two = upstream.accept();
  CHECK(two.read_until("\r\n\r\n").starts_with("GET /2 "));
  two.send(ok);
  CHECK(second.read_reply().body == "ok");
  second.send("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(two.read_until("\r\n\r\n").starts_with("GET /3 "));
  two.send(ok);
  one.send(ok);
  CHECK(second.read_reply().body == "ok");
  CHECK(first.read_reply().body == "ok");
}

TEST_CASE("call: a stale connection is replaced if the request can be repeated, and only then") {
  struct Case {
    std::string method, body;
    bool is_repeated;
  };
  const Case cases[] = {{"GET", "", true}, {"PUT", "hi", true}, {"POST", "hi", false}};
  for (const Case& c : cases) {
    CAPTURE(c.method);
    TestServer upstream;
    Proxy proxy(upstream);
    HttpClient client(proxy.server->port());
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    Socket stale = upstream.accept();
    stale.read_until("\r\n\r\n");
    stale.send(ok);
    CHECK(client.read_reply().body == "ok");

    client.send(c.method + " /2 HTTP/1.1\r\nHost: a\r\n" + (c.body.empty() ? "" : "Content-Length: 2\r\n") + "\r\n" + c.body);
    stale.read_until(c.body.empty() ? "\r\n\r\n" : "\r\n\r\nhi");
    stale.close();
    if (c.is_repeated) {
      Socket fresh = upstream.accept();
      CHECK(fresh.read_until(c.body.empty() ? "\r\n\r\n" : "\r\n\r\nhi").starts_with(c.method + " /2 "));
      fresh.send(ok);
      CHECK(client.read_reply().body == "ok");
    } else {
      CHECK(client.read_reply().status == 502);
    }
  }
}

TEST_CASE("call: a new connection that breaks is not tried again without retries") {
  TestServer upstream;
  Proxy proxy(upstream);
  HttpClient client(proxy.server->port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  {
    Socket connection = upstream.accept();
    connection.read_until("\r\n\r\n");
  }
  CHECK(client.read_reply().status == 502);
  client.send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket next = upstream.accept();
  CHECK(next.read_until("\r\n\r\n").starts_with("GET /again "));
  next.send(ok);
  CHECK(client.read_reply().body == "ok");
}

TEST_CASE("call: above the cap of connections it is 503, and free again afterwards") {
  TestServer upstream;
  Proxy proxy(upstream, {.connections = 1});
  HttpClient first(proxy.server->port()), second(proxy.server->port());
  first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket connection = upstream.accept();
  connection.read_until("\r\n\r\n");
  const Reply busy = second.get("/");
  CHECK(busy.status == 503);
  CHECK(busy.body == R"({"message":"the upstream has no free connection; try again later"})");
  connection.send(ok);
  CHECK(first.read_reply().body == "ok");
  second.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(connection.read_until("\r\n\r\n").starts_with("GET /2 "));
  connection.send(ok);
  CHECK(second.read_reply().body == "ok");
}

TEST_CASE("call: an upstream by name") {
  TestServer upstream;
  Proxy proxy("localhost:" + std::to_string(upstream.port()));
  for (int i = 0; i < 2; ++i) {
    HttpClient client(proxy.server->port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    Socket connection = upstream.accept();
    CHECK(connection.read_until("\r\n\r\n").find("Host: localhost:" + std::to_string(upstream.port())) != std::string::npos);
    connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    CHECK(client.read_reply().body == "ok");
  }
}

TEST_CASE("call: nobody there is 502") {
  std::string address;
  {
    const TestServer gone;
    address = gone.address();
  }
  Proxy proxy(address);
  HttpClient client(proxy.server->port());
  for (int i = 0; i < 3; ++i) {
    const Reply reply = client.get("/");
    CHECK(reply.status == 502);
    CHECK(reply.body == R"({"message":"the upstream could not be reached"})");
  }
  CHECK(client.ask("POST", "/", {}, "a body").status == 502);
  CHECK(client.get("/").status == 502);
}

TEST_CASE("call: answers that break the rules are 502") {
  const std::string answers[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/2.0 200 OK\r\n\r\n",
      "nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(20000, 'x') + "\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "",
  };
  for (const std::string& answer : answers) {
    CAPTURE(answer.substr(0, 60));
    TestServer upstream;
    Proxy proxy(upstream);
    HttpClient client(proxy.server->port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    Socket connection = upstream.accept();
    connection.read_until("\r\n\r\n");
    connection.send(answer);
    connection.finish();
    CHECK(client.read_reply().status == 502);
  }
}

TEST_CASE("call: an answer that is cut or goes wrong in its body is cut for the client, too") {
  const std::string answers[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nxyz\r\n",
  };
  for (const std::string& answer : answers) {
    TestServer upstream;
    Proxy proxy(upstream);
    HttpClient client(proxy.server->port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    Socket connection = upstream.accept();
    connection.read_until("\r\n\r\n");
    connection.send(answer);
    connection.finish();
    const Reply reply = client.read_reply();
    CHECK(reply.status == 200);
    CHECK(reply.body == "part");
    CHECK_FALSE(reply.is_complete);
  }
}

TEST_CASE("call: a flood of interim responses is a fault") {
  TestServer upstream;
  Proxy proxy(upstream);
  HttpClient client(proxy.server->port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket connection = upstream.accept();
  connection.read_until("\r\n\r\n");
  for (int i = 0; i < 40; ++i) connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  Reply reply = client.read_reply();
  int interim = 0;
  for (; reply.status == 103; ++interim) reply = client.read_reply();
  CHECK(interim == 32);
  CHECK(reply.status == 502);
}

TEST_CASE("call: requests go to the endpoints of an upstream by their weights") {
  std::vector<std::unique_ptr<gw::Gateway>> services;
  std::vector<gw::Server> servers;
  std::vector<gw::EndpointOptions> endpoints;
  for (unsigned i = 0; i < 3; ++i) {
    services.push_back(std::make_unique<gw::Gateway>());
    services.back()->config().workers = 1;
    services.back()->prefix("/").handle([i](gw::Context&) { return std::to_string(i); });
    servers.push_back(services.back()->start("127.0.0.1:0"));
    endpoints.emplace_back(servers.back().address(), i);
  }
  gw::Gateway app;
  app.prefix("/").forward(app.upstream("up", endpoints, {.balance = gw::Balance::round_robin}));
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  std::map<std::string, int> count;
  for (int i = 0; i < 30; ++i) ++count[client.get("/").body];
  CHECK(count == std::map<std::string, int>{{"1", 10}, {"2", 20}});
}
