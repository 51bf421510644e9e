#include <doctest/doctest.h>

#include <gw/gw.hpp>

#include "support/http_client.hpp"
#include "support/proxy_scripts.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>

using gw_test::HttpClient, gw_test::Reply, gw_test::Socket, gw_test::TestServer;

namespace {

/// An endless stream that counts what it gave.
class Endless final : public gw::Body::Source {
 public:
  explicit Endless(std::shared_ptr<std::atomic<std::uint64_t>> given) : given_(std::move(given)) {}
  std::optional<gw::Chunk> ready() override {
    *given_ += text_.size();
    return gw::Chunk(text_);
  }
  gw::Task<gw::Result<gw::Chunk>> read() override { co_return *ready(); }

 private:
  std::shared_ptr<std::atomic<std::uint64_t>> given_;
  std::string text_ = std::string(16384, 'x');
};

/// Counts the ends of requests.
struct Ends {
  std::shared_ptr<std::promise<bool>> complete = std::make_shared<std::promise<bool>>();
  void done(const gw::Context& c) const { complete->set_value(c.is_complete()); }
};

/// A gateway that sends back what it is sent, piece by piece.
gw::Gateway echoing() {
  gw::Gateway app;
  app.prefix("/").handle([](gw::Context& c) {
    gw::Response r(200);
    r.body = std::move(c.req.body);
    c.reply(std::move(r));
  });
  return app;
}

std::string text_of_size(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 31 + i / 1000) % 26);
  return text;
}

std::string chunked(const std::string& text, std::size_t size) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += size) {
    char head[24];
    std::snprintf(head, sizeof head, "%zx\r\n", std::min(size, text.size() - at));
    out.append(head).append(text, at, size).append("\r\n");
  }
  return out + "0\r\n\r\n";
}

}  // namespace

TEST_CASE("stream: what a generator makes goes out in chunks, through one gateway and through two") {
  gw::Gateway service;
  service.get("/pieces", [](gw::Context& c) {
    gw::Response r(200);
    r.body = gw::Body(std::make_unique<gw_test::Pieces>(1000));
    c.reply(std::move(r));
  });
  const gw::Server upstream = service.start("127.0.0.1:0");
  gw::Gateway app;
  app.prefix("/").forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += "piece " + std::to_string(i) + ';';
  for (const std::uint16_t port : {upstream.port(), server.port()}) {
    HttpClient client(port);
    const Reply reply = client.get("/pieces");
    CHECK(reply.headers.at("transfer-encoding") == "chunked");
    CHECK(reply.body == expected);
    CHECK(reply.is_complete);
    CHECK(client.get("/pieces").is_complete);
  }
}

TEST_CASE("stream: large bodies go up and down through a forward, counted and chunked") {
  gw::Gateway service = echoing();
  const gw::Server upstream = service.start("127.0.0.1:0");
  gw::Gateway app;
  app.prefix("/").forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  const std::string text = text_of_size(3'000'000);
  for (const std::string& request : {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + text,
                                     "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(text, 40'000),
                                     "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(text, 999)}) {
    HttpClient client(server.port());
    // Both directions at once: nobody may wait for the other to finish.
    std::thread sending([&] { client.send(request); });
    const Reply reply = client.read_reply();
    sending.join();
    CHECK(reply.status == 200);
    CHECK(reply.is_complete);
    CHECK(reply.body == text);
  }
}

TEST_CASE("stream: a filter changes a body on its way") {
  gw::Gateway service = echoing();
  const gw::Server upstream = service.start("127.0.0.1:0");
  gw::Gateway app;
  app.prefix("/").use(gw_test::UpperStage{}).forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  const std::string text = text_of_size(200'000);
  std::string upper = text;
  for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
  std::thread sending([&] { client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + text); });
  const Reply reply = client.read_reply();
  sending.join();
  CHECK(reply.body == upper);
}

TEST_CASE("stream: a response that says it was the last ends the upload that still runs") {
  TestServer upstream;
  gw::Gateway app;
  app.prefix("/").forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbeginning");
  Socket connection = upstream.accept();
  connection.read_until("beginning");
  connection.send("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
  const Reply reply = client.read_reply();
  CHECK(reply.status == 403);
  CHECK(reply.body == "no");
  CHECK(reply.headers.at("connection") == "close");
  CHECK(connection.read_all().empty());
}

TEST_CASE("stream: a client that does not read stops the source, and is cut after its time") {
  const auto given = std::make_shared<std::atomic<std::uint64_t>>(0);
  const Ends ends;
  gw::Gateway app;
  app.config().timeouts.client_write = std::chrono::milliseconds(1);
  app.use(ends);
  app.get("/", [given](gw::Context& c) {
    gw::Response r(200);
    r.body = gw::Body(std::make_unique<Endless>(given));
    c.reply(std::move(r));
  });
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_FALSE(ends.complete->get_future().get());
  // What the system buffers for a socket, and no more.
  CHECK(*given < 64'000'000);
}

TEST_CASE("stream: a client that leaves ends an endless stream") {
  const auto given = std::make_shared<std::atomic<std::uint64_t>>(0);
  const Ends ends;
  gw::Gateway app;
  app.use(ends);
  app.get("/", [given](gw::Context& c) {
    gw::Response r(200);
    r.body = gw::Body(std::make_unique<Endless>(given));
    c.reply(std::move(r));
  });
  const gw::Server server = app.start("127.0.0.1:0");
  {
    HttpClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(client.read(100'000).size() == 100'000);
  }
  CHECK_FALSE(ends.complete->get_future().get());
}

TEST_CASE("stream: server-sent events arrive one by one, as the upstream sends them") {
  TestServer upstream;
  gw::Gateway app;
  app.prefix("/").forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket connection = upstream.accept();
  connection.read_until("\r\n\r\n");
  connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n").find("text/event-stream") != std::string::npos);
  for (int i = 0; i < 5; ++i) {
    connection.send("9\r\ndata: " + std::to_string(i) + "\n\n\r\n");
    CHECK(client.read_until("\n\n\r\n") == "9\r\ndata: " + std::to_string(i) + "\n\n\r\n");
  }
  connection.send("0\r\n\r\n");
  CHECK(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
}

TEST_CASE("stream: a tunnel goes both ways until both sides have finished") {
  TestServer upstream;
  gw::Gateway app;
  app.prefix("/").upgrade({"echo"}).forward("http://" + upstream.address());
  const gw::Server server = app.start("127.0.0.1:0");
  HttpClient client(server.port());
  client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ");
  Socket connection = upstream.accept();
  CHECK(connection.read_until("\r\n\r\n").find("Connection: upgrade\r\nUpgrade: echo\r\n") != std::string::npos);
  connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello ");
  CHECK(client.read_reply().status == 101);
  CHECK(client.read(6) == "hello ");
  CHECK(connection.read(6) == "early ");
  const std::string text = text_of_size(500'000);
  std::thread up([&] {
    client.send(text);
    client.finish();
  });
  std::thread down([&] {
    connection.send(text);
    connection.finish();
  });
  std::string received;
  std::thread reading([&] { received = connection.read_all(); });
  CHECK(client.read_all() == text);
  up.join();
  down.join();
  reading.join();
  CHECK(received == text);
}

TEST_CASE("stream: a body may let another request go on, and the head before it stays that of its response") {
  struct Waking final : gw::Body::Source {
    explicit Waking(gw::Event& e) : event(e) {}
    std::optional<gw::Chunk> ready() override {
      event.notify();
      return gw::Chunk("text");
    }
    gw::Task<gw::Result<gw::Chunk>> read() override { co_return *ready(); }
    std::optional<std::uint64_t> size() const override { return 4; }
    gw::Event& event;
  };
  TestServer server;
  gw::Event event;
  std::promise<void> waits;
  gw::Gateway app;
  app.config().workers = 1;
  const gw::Upstream up = app.upstream("up", {server.address()});
  app.get("/first", [&](gw::Context& c) -> gw::Task<gw::Response> {
    const gw::Result<gw::Response> r = co_await c.send(up, gw::Request(gw::Method::get, "/first"));
    co_return gw::Response(r ? r->status : 500);
  });
  app.get("/waiting", [&](gw::Context& c) -> gw::Task<gw::Response> {
    waits.set_value();
    co_await event.wait();
    const gw::Result<gw::Response> r = co_await c.send(up, gw::Request(gw::Method::get, "/behind-a-wait"));
    co_return gw::Response(r ? r->status : 500);
  });
  app.get("/waking", [&](gw::Context& c) {
    gw::Response r(200);
    r.headers.add("X-Mine", "kept");
    r.body = gw::Body(std::make_unique<Waking>(event));
    c.reply(std::move(r));
  });
  const gw::Server gateway = app.start("127.0.0.1:0");
  HttpClient waiting(gateway.port()), waking(gateway.port());
  // There is a connection that takes a request at once.
  waiting.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket connection = server.accept();
  connection.read_until("\r\n\r\n");
  connection.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  CHECK(waiting.read_reply().status == 201);

  waiting.send("GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n");
  waits.get_future().wait();
  const Reply reply = waking.get("/waking");
  CHECK(reply.status == 200);
  CHECK(reply.headers.at("x-mine") == "kept");
  CHECK(reply.body == "text");
  CHECK(connection.read_until("\r\n\r\n").starts_with("GET /behind-a-wait HTTP/1.1\r\n"));
  connection.send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  CHECK(waiting.read_reply().status == 202);
}
