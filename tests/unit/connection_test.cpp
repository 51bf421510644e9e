#include <doctest/doctest.h>

#include "support/proxy_scripts.hpp"

#include <chrono>
#include <string>
#include <vector>

using gw::Method;
using namespace gw_test;

namespace {

constexpr std::size_t whole = MemoryTransport::whole;
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Plays a script without faults and checks what everybody got.
void play(const Script& script, std::size_t fragment, std::size_t room) {
  World world(add_script_routes);
  world.hold_time();
  const auto upstream = world.upstream(fragment, room);
  upstream->responses = script.upstream;
  upstream->when = script.when;
  upstream->at_head = script.at_head;
  upstream->ends = script.upstream_ends;
  const auto client = world.client(fragment, room);
  const ScriptedClient part(script, *client);
  world.run_in_no_time();

  const std::vector<Message> got = read_responses(client->written(), script.methods);
  REQUIRE(got.size() == script.to_client.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i].status == script.to_client[i].status);
    CHECK(got[i].body == script.to_client[i].body);
    CHECK((got[i].is_complete || got[i].status == 0));
  }
  REQUIRE(upstream->requests.size() == script.to_upstream.size());
  for (std::size_t i = 0; i < script.to_upstream.size(); ++i) {
    const Message& m = upstream->requests[i];
    CHECK(m.start == script.to_upstream[i].start);
    if (script.is_upload_whole || m.is_complete) {
      CHECK(m.is_complete);
      CHECK(m.body == script.to_upstream[i].body);
    } else {
      CHECK(script.to_upstream[i].body.starts_with(m.body));
    }
  }
}

}  // namespace

TEST_CASE("connection: every conversation is the same in fragments of 1 to 8, 16 and 31 bytes, and whole") {
  for (const Script& script : proxy_scripts()) {
    CAPTURE(script.name);
    for (const std::size_t fragment : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4}, std::size_t{5}, std::size_t{6}, std::size_t{7},
                                       std::size_t{8}, std::size_t{16}, std::size_t{31}, whole}) {
      CAPTURE(fragment);
      play(script, fragment, whole);
    }
    for (const std::size_t room : {std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
      CAPTURE(room);
      play(script, whole, room);
      play(script, 5, room);
    }
  }
}

TEST_CASE("connection: a request begins with its first byte, not with the end of its head") {
  std::vector<std::chrono::system_clock::time_point> began;
  struct Note {
    std::vector<std::chrono::system_clock::time_point>* began;
    void done(const gw::Context& c) const { began->push_back(c.started()); }
  };
  World world([&](gw::Config& config) { config.use.push_back(gw::Stage(Note{&began})); });
  const auto upstream = world.upstream();
  upstream->responses = {ok, ok};
  const auto client = world.client();
  client->receive("GET / HT");
  while (world.worker.io.poll() > 0) continue;
  // Requests know the time from another clock, which may differ by microseconds.
  auto middle = std::chrono::system_clock::now();
  for (const auto from = middle; middle < from + std::chrono::milliseconds(5);) middle = std::chrono::system_clock::now();
  client->receive("TP/1.1\r\nHost: a\r\n\r\n");
  world.run_until([&] { return world.counts.done == 1; });
  const auto between = std::chrono::system_clock::now() - std::chrono::milliseconds(5);
  client->receive(get);
  client->receive_end();
  world.run();
  REQUIRE(began.size() == 2);
  CHECK(began[0] < middle);
  CHECK(began[1] >= between);
}

TEST_CASE("connection: requests on one connection use the same session and the same upstream connection") {
  World world;
  const auto upstream = world.upstream();
  upstream->responses = {ok, ok, ok};
  const auto client = world.client();
  for (int i = 1; i <= 3; ++i) {
    client->receive(get);
    world.run_until([&] { return world.counts.done == i; });
  }
  CHECK(world.worker.has_connections());
  CHECK(world.worker.pool.idle(world.endpoint) == 1);
  CHECK(world.worker.free_calls.size() == 1);
  client->receive_end();
  world.run();
  CHECK(upstream->requests.size() == 3);
  CHECK(world.worker.free_sessions.size() == 1);
}

TEST_CASE("connection: heads that wait for room at the same time stay their own") {
  World world;
  const auto answer_with_target = [](UpstreamPeer& upstream) {
    upstream.respond = [](const Message& request) { return "HTTP/1.1 200 OK\r\nX-Asked: " + request.start + "\r\nContent-Length: 0\r\n\r\n"; };
  };
  constexpr std::size_t room = 7;
  world.accept(answer_with_target, whole, room);
  std::vector<decltype(world.client())> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(world.client(whole, room));
  for (int i = 0; i < 10; ++i) clients[i]->receive("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  world.run_until([&] { return world.counts.done == 10; });
  for (int i = 0; i < 10; ++i) {
    const std::vector<Message> got = read_responses(clients[i]->written());
    REQUIRE(got.size() == 1);
    CHECK(got[0].headers["x-asked"] == "GET /" + std::to_string(i));
  }
  for (auto& client : clients) client->receive_end();
  world.run();
}

TEST_CASE("connection: sessions, calls and buffers are there for the next burst, and freed if none comes") {
  World world;
  std::vector<decltype(world.client())> clients;
  world.accept([](UpstreamPeer& upstream) { upstream.responses = {ok, ok, ok}; });
  for (int i = 0; i < 20; ++i) clients.push_back(world.client());
  for (int burst = 1; burst <= 2; ++burst) {
    for (auto& client : clients) client->receive(get);
    world.run_until([&] { return world.counts.done == 20 * burst; });
    world.settle();
    CHECK(world.worker.free_sessions.size() == 20);
    CHECK(world.worker.free_calls.size() == 20);
    CHECK(world.worker.buffers.size() == 21);  // one of them for all answers, which came one after the other
  }
  world.pass(3 * gw::proxy::Worker::kept_for);
  world.pass(3 * gw::proxy::Worker::kept_for);
  CHECK(world.worker.free_sessions.size() == 0);
  CHECK(world.worker.free_calls.size() == 0);
  CHECK(world.worker.buffers.size() == 0);
  for (auto& client : clients) client->receive(get);
  world.run_until([&] { return world.counts.done == 60; });
  for (auto& client : clients) client->receive_end();
  world.run();
}

TEST_CASE("connection: an idle connection of an upstream that closes or speaks unasked leaves the pool") {
  for (const std::string said : {"", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"}) {
    World world;
    const auto upstream = world.upstream();
    CHECK(world.worker.pool.idle(world.endpoint) == 1);
    if (!said.empty()) upstream->transport().receive(said);
    else upstream->transport().receive_end();
    world.run_until([&] { return world.worker.pool.total(world.endpoint) == 0; });
    world.run_until([&] { return upstream->transport().is_closed(); });
  }
}

TEST_CASE("connection: an answer with bytes behind it is passed on, but its connection is not used again") {
  World world;
  const auto upstream = world.upstream();
  upstream->responses = {ok + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"};
  const auto client = world.client();
  client->receive(get + get);
  client->receive_end();
  world.run();
  const std::vector<Message> got = read_responses(client->written());
  REQUIRE(got.size() == 2);
  CHECK(got[0].body == "ok");
  CHECK(got[1].status == 502);
  CHECK(upstream->transport().is_closed());
}

TEST_CASE("connection: who may switch protocols, and who is served as usual") {
  const std::string host = " / HTTP/1.1\r\nHost: a\r\n", upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  const std::string switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
  const struct {
    std::string what;
    std::string request;
    std::string offered;   ///< to the upstream; empty: it is asked as usual
    std::string response;
    int status;
  } cases[] = {
      {"what is allowed", "GET" + host + upgrade + "\r\n", "websocket", switched, 101},
      {"what the upstream declines", "GET" + host + upgrade + "\r\n", "websocket", ok, 200},
      {"one of several", "GET" + host + "Connection: upgrade, keep-alive\r\nUpgrade: h2c, WebSocket\r\n\r\n", "WebSocket", switched, 101},
      {"what is not allowed", "GET" + host + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", "", ok, 200},
      {"no Connection: upgrade", "GET" + host + "Upgrade: websocket\r\n\r\n", "", ok, 200},
      {"nothing to switch to", "GET" + host + "Connection: upgrade\r\n\r\n", "", ok, 200},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n" + upgrade + "\r\n", "", ok, 200},
      {"content", "POST" + host + upgrade + "Content-Length: 2\r\n\r\nhi", "", ok, 200},
      {"content of unknown length", "POST" + host + upgrade + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "", ok, 200},
      {"no content, and that is said", "GET" + host + upgrade + "Content-Length: 0\r\n\r\n", "websocket", switched, 101},
      {"a 101 that nobody asked for", "GET" + host + "\r\n", "", switched, 502},
      {"a 101 to what was not offered", "GET" + host + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", "", switched, 502},
      {"a 101 to something else", "GET" + host + upgrade + "\r\n", "websocket", "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", 502},
      {"a 101 to nothing", "GET" + host + upgrade + "\r\n", "websocket", "HTTP/1.1 101 S\r\nConnection: upgrade\r\n\r\n", 502},
      {"a 101 that does not upgrade", "GET" + host + upgrade + "\r\n", "websocket", "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n", 502},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    World world(add_script_routes);
    const auto upstream = world.upstream();
    upstream->responses = {c.response};
    upstream->ends = c.status == 101;
    const auto client = world.client();
    client->receive(c.request);
    client->receive_end();
    world.run();
    CHECK(read_responses(client->written()).at(0).status == c.status);
    const gw::Headers& asked = upstream->requests.at(0).headers;
    CHECK(asked["upgrade"] == c.offered);
    CHECK(asked["connection"] == (c.offered.empty() ? "" : "upgrade"));
    // Only what was answered as usual leaves a connection behind that can be used again.
    CHECK(world.worker.pool.idle(world.endpoint) == (c.status == 200 ? 1 : 0));
  }
}

TEST_CASE("connection: a reused connection that was stale costs nothing if the request can be repeated") {
  struct Case {
    std::string request;
    Method method;
    bool is_repeated;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Method::get, true},
      {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", Method::put, true},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", Method::post, false},
      {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", Method::put, false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.request);
    World world;
    // It takes the request and closes without an answer. The next one is refused by the address, which
    // is how the test sees that there was a next one.
    const auto upstream = world.upstream();
    upstream->responses = {""};
    upstream->ends = true;
    const auto client = world.client();
    client->receive(c.request);
    client->receive_end();
    world.run();
    const std::vector<Message> got = read_responses(client->written(), {c.method});
    REQUIRE(got.size() == 1);
    CHECK(got[0].status == 502);
    CHECK(world.counts.failures == std::vector<std::string>{c.is_repeated ? "connect_failed" : "upstream_reset"});
    CHECK(upstream->requests.size() == 1);
  }
}

TEST_CASE("connection: bad requests are refused, counted as nothing, and the connection ends") {
  struct Case {
    std::string request;
    int status;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20000, 'x') + "\r\n\r\n", 431},
      {"GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417},
  };
  for (const Case& c : cases) {
    for (const std::size_t fragment : {std::size_t{7}, whole}) {
      World world;
      const auto client = world.client(fragment);
      client->receive(c.request + get);
      client->receive_end();
      world.run();
      const std::vector<Message> got = read_responses(client->written());
      REQUIRE(got.size() == 1);
      CHECK(got[0].status == c.status);
      CHECK(got[0].is_complete);
      CHECK(got[0].headers["connection"] == "close");
      CHECK(world.counts.begun == 0);
      CHECK(client->has_shut_down());
    }
  }
}

TEST_CASE("connection: a body that breaks its framing is answered 400, and nothing behind it is read as a request") {
  World world(add_script_routes);
  const auto client = world.client();
  client->receive("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n" + get);
  client->receive_end();
  world.run();
  const std::vector<Message> got = read_responses(client->written(), {Method::post});
  REQUIRE(got.size() == 1);
  CHECK(got[0].status == 400);
  CHECK(got[0].headers["connection"] == "close");
  CHECK(world.counts.begun == 1);
}

TEST_CASE("connection: a body that nobody wants is read over if it is small, else the connection ends") {
  struct Case {
    std::string framing, body;
    bool goes_on;
  };
  const Case cases[] = {
      {"Content-Length: 5\r\n", "hello", true},
      {"Content-Length: 200000\r\n", std::string(200000, 'x'), true},
      {"Content-Length: 300000\r\n", std::string(300000, 'x'), false},
      {"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", false},
      // The client waits for a 100 that nobody sends: what comes next may be the body or a request.
      {"Expect: 100-continue\r\nContent-Length: 5\r\n", "", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.framing);
    World world(add_script_routes);
    const auto client = world.client();
    client->receive("POST /hello HTTP/1.1\r\nHost: a\r\n" + c.framing + "\r\n" + c.body + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    client->receive_end();
    world.run();
    const std::vector<Message> got = read_responses(client->written(), {Method::post});
    REQUIRE(got.size() == (c.goes_on ? 2 : 1));
    for (const Message& m : got) CHECK(m.body == "hello");
    CHECK((got[0].headers["connection"] == "close") == !c.goes_on);
  }
}

TEST_CASE("connection: where only the end of the connection ends a response, a cut one is an error to the client") {
  for (const bool is_cut : {true, false}) {
    World world;
    const auto upstream = world.upstream();
    upstream->responses = {std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n") + (is_cut ? "" : "0\r\n\r\n")};
    upstream->ends = true;
    const auto client = world.client();
    client->receive("GET / HTTP/1.0\r\n\r\n");
    world.run();
    CHECK(client->was_reset() == is_cut);
    CHECK(read_responses(client->written(), {}, client->was_reset()).at(0).is_complete == !is_cut);
    CHECK(world.counts.complete == (is_cut ? 0 : 1));
  }
}

TEST_CASE("connection: a handler that reads the body lets a client go on that waits for 100, unless it is there already") {
  for (const bool is_waiting : {true, false}) {
    World world(add_script_routes);
    const auto client = world.client();
    const std::string body = "ping";
    client->receive("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n" + (is_waiting ? "" : body));
    if (is_waiting) {
      client->on_write = [&](std::string_view written) {
        if (written == "HTTP/1.1 100 Continue\r\n\r\n") client->receive(body);
        else client->receive_end();
      };
    } else {
      client->receive_end();
    }
    world.run();
    const std::vector<Message> got = read_responses(client->written(), {Method::post});
    REQUIRE(got.size() == (is_waiting ? 2 : 1));
    CHECK(got[0].status == (is_waiting ? 100 : 200));
    CHECK(got.back().body == "ping");
  }
}

TEST_CASE("connection: HTTP/1.0 and Connection decide whether it goes on") {
  struct Case {
    std::string head;
    bool goes_on;
  };
  const Case cases[] = {
      {"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
      {"GET /hello HTTP/1.0\r\n\r\n", false},
      {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
      {"GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.head);
    World world(add_script_routes);
    const auto client = world.client();
    client->receive(c.head + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    client->receive_end();
    world.run();
    const std::vector<Message> got = read_responses(client->written());
    CHECK(got.size() == (c.goes_on ? 2u : 1u));
  }
}

TEST_CASE("connection: a stream that ends before its announced size, or goes on behind it, is cut") {
  struct Liar final : gw::Body::Source {
    Liar(std::uint64_t s, std::string t) : announced(s), text(std::move(t)) {}
    std::optional<gw::Chunk> ready() override { return std::exchange(is_read, true) ? gw::Chunk{} : gw::Chunk(text); }
    gw::Task<gw::Result<gw::Chunk>> read() override { co_return gw::Chunk{}; }
    std::optional<std::uint64_t> size() const override { return announced; }
    std::uint64_t announced;
    std::string text;
    bool is_read = false;
  };
  for (const std::uint64_t announced : {std::uint64_t{4}, std::uint64_t{6}}) {
    World world([&](gw::Config& config) {
      config.routes[0].action = gw::HandlerConfig{"", gw::Handler([announced](gw::Context& c) {
                                                    gw::Response r(200);
                                                    r.body = gw::Body(std::make_unique<Liar>(announced, "12345"));
                                                    c.reply(std::move(r));
                                                  }),
                                                  {}};
    });
    const auto client = world.client();
    client->receive(get + get);
    client->receive_end();
    world.run();
    const Message got = read_responses(client->written()).at(0);
    CHECK((got.is_complete ? got.status == 500 : got.status == 200));
    CHECK(world.counts.begun == (got.is_complete && got.headers["connection"] != "close" ? 2 : 1));
    CHECK(world.counts.failures.at(0) == "handler_failed");
  }
}

TEST_CASE("connection: code that throws while a body is read or uploaded ends that request, and only that") {
  struct Thrower final : gw::Body::Source {
    explicit Thrower(int w) : when(w) {}
    std::optional<gw::Chunk> ready() override {
      if (when == 0) throw std::runtime_error("ready");
      return std::nullopt;
    }
    gw::Task<gw::Result<gw::Chunk>> read() override {
      if (when == 1) throw std::runtime_error("read");
      if (when == 2 && count++ == 1) throw std::runtime_error("later");
      if (when == 4 && count++ == 1) co_return gw::Chunk{};
      co_return gw::Chunk("some ");
    }
    std::optional<std::uint64_t> size() const override {
      if (when == 3) throw std::runtime_error("size");
      return std::nullopt;
    }
    const gw::Headers& trailers() const override { throw std::runtime_error("trailers"); }
    int when;
    int count = 0;
  };
  for (int when = 0; when <= 4; ++when) {
    CAPTURE(when);
    for (const bool is_upload : {false, true}) {
      CAPTURE(is_upload);
      World world([&](gw::Config& config) {
        add_script_routes(config);
        config.routes[0].action = gw::HandlerConfig{"", gw::Handler([when, is_upload](gw::Context& c) -> gw::Task<> {
                                                      gw::Body body(std::make_unique<Thrower>(when));
                                                      if (is_upload) {
                                                        const gw::Upstream up("up");
                                                        gw::Request request(gw::Method::post, "/", std::move(body));
                                                        gw::Result<gw::Response> r = co_await c.send(up, std::move(request));
                                                        if (r) c.reply(std::move(*r));
                                                        else c.fail(r.error());
                                                      } else {
                                                        gw::Response r(200);
                                                        r.body = std::move(body);
                                                        c.reply(std::move(r));
                                                      }
                                                    }),
                                                    {}};
      });
      const auto upstream = world.upstream();
      const auto client = world.client();
      client->receive(get);
      client->receive_end();
      world.run();
      const std::vector<Message> got = client->written().empty() ? std::vector<Message>{} : read_responses(client->written());
      // Nothing was sent yet, or something that looks cut.
      if (!got.empty()) CHECK(got[0].is_complete == (got[0].status == 500));
      CHECK(world.counts.done == 1);
      CHECK(world.counts.failures == std::vector<std::string>{"handler_failed"});

      // The worker is none the worse for it.
      const auto other = world.client();
      other->receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
      other->receive_end();
      world.run();
      CHECK(read_responses(other->written()).at(0).body == "hello");
    }
  }
}
