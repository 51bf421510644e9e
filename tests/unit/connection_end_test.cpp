#include <doctest/doctest.h>

#include "support/proxy_scripts.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <string>
#include <vector>

using namespace gw_test;
using namespace std::chrono_literals;

namespace {

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Lets a client finish with the first byte it gets, so that nobody lingers for it.
void leaves_after_answer(MemoryTransport& client) {
  client.on_write = [&client](std::string_view) { client.receive_end(); };
}

}  // namespace

TEST_CASE("connection: limits of time") {
  const auto quick = [](gw::Config& config) {
    add_script_routes(config);
    config.timeouts.client_header = config.timeouts.client_idle = config.timeouts.client_body = config.timeouts.client_write = 1ms;
    gw::UpstreamTimeouts& t = config.upstreams[0].options.timeouts;
    t.first_byte = t.body = t.tunnel = 1ms;
  };
  SUBCASE("a client that says nothing is forgotten") {
    World world(quick);
    const auto client = world.client();
    world.run();
    CHECK(client->written().empty());
    CHECK(client->is_closed());
  }
  SUBCASE("half a head is answered 408") {
    World world(quick);
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive("GET / HT");
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 408);
    CHECK(world.counts.begun == 0);
  }
  SUBCASE("an idle connection ends after its last answer") {
    World world(quick);
    const auto client = world.client();
    client->receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    world.run();
    CHECK(read_responses(client->written()).at(0).body == "hello");
  }
  SUBCASE("half a body that a handler reads is answered 408") {
    World world(quick);
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 408);
    CHECK(world.counts.failures.at(0) == "client_timeout");
  }
  SUBCASE("half a body that is uploaded is answered 408") {
    World world(quick);
    const auto upstream = world.upstream();
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 408);
    CHECK(upstream->transport().is_closed());
  }
  SUBCASE("a client that takes nothing is cut, and its upstream connection with it") {
    World world(quick);
    const auto upstream = world.upstream();
    upstream->responses = {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(100000, 'x')};
    const auto client = world.client();
    client->stop_taking();
    client->receive(get);
    world.run();
    CHECK(client->is_closed());
    CHECK(upstream->transport().is_closed());
    CHECK(world.counts.complete == 0);
  }
  SUBCASE("an upstream that does not answer is 504") {
    World world(quick);
    const auto upstream = world.upstream();
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive(get);
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 504);
    CHECK(world.counts.failures.at(0) == "upstream_timeout");
    CHECK(upstream->transport().is_closed());
  }
  SUBCASE("an upstream that does not take the request is 504") {
    World world(quick);
    const auto upstream = world.upstream();
    upstream->transport().stop_taking();
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive(get);
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 504);
  }
  SUBCASE("an upstream that stops in the middle of a body leaves a visibly cut response") {
    World world(quick);
    const auto upstream = world.upstream();
    upstream->responses = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"};
    const auto client = world.client();
    client->receive(get);
    world.run();
    const Message got = read_responses(client->written()).at(0);
    CHECK(got.body == "hello");
    CHECK_FALSE(got.is_complete);
    CHECK(world.counts.complete == 0);
    CHECK(world.counts.failures.at(0) == "upstream_timeout");
  }
  SUBCASE("a tunnel in which nothing moves ends") {
    World world(quick);
    const auto upstream = world.upstream();
    upstream->responses = {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"};
    const auto client = world.client();
    client->receive("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 101);
    // Not an end: nobody has said that all was said.
    CHECK(client->was_reset());
    CHECK(upstream->transport().was_reset());
    CHECK(world.counts.failures.at(0) == "tunnel_timeout");
    CHECK(world.counts.complete == 0);
  }
}

TEST_CASE("connection: a client that leaves while the upstream thinks ends the upstream's work") {
  for (const std::string path : {"/", "/turn", "/sub", "/upper"}) {
    CAPTURE(path);
    World world(add_script_routes);
    const auto upstream = world.upstream();
    const auto client = world.client();
    client->receive("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    client->receive_end();
    world.run();
    CHECK(upstream->transport().is_closed());
    CHECK(world.counts.complete == 0);
  }
}

TEST_CASE("connection: a client that leaves while the response streams ends the upstream's work") {
  for (const std::string path : {"/", "/upper", "/sub"}) {
    CAPTURE(path);
    World world(add_script_routes);
    const auto upstream = world.upstream();
    upstream->responses = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"};
    const auto client = world.client();
    client->receive("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    client->receive_end();
    world.run();
    CHECK(upstream->transport().is_closed());
    CHECK(world.counts.complete == 0);
  }
}

namespace {

/// A response that never comes further than its first piece, and notes that nobody reads on.
class Endless : public gw::Body::Source {
 public:
  explicit Endless(int& cancelled) : cancelled_(cancelled) {}
  std::optional<gw::Chunk> ready() override { return std::exchange(has_begun_, true) ? std::nullopt : std::optional<gw::Chunk>("one"); }
  gw::Task<gw::Result<gw::Chunk>> read() override {
    while (!is_cancelled_) co_await cancelled_now_.wait();
    co_return gw::Failure(gw::Error::client_gone, gw::Origin::client);
  }
  void cancel() override {
    ++cancelled_;
    is_cancelled_ = true;
    // Not at once: who cancels does not expect that the response ends under its hands.
    asio::post(*io, [this] { cancelled_now_.notify(); });
  }
  asio::io_context* io = nullptr;

 private:
  int& cancelled_;
  bool has_begun_ = false, is_cancelled_ = false;
  gw::Event cancelled_now_;
};

/// The only route is a handler.
auto only(gw::Handler handler) {
  return [handler](gw::Config& config) {
    gw::RouteConfig route;
    route.rule.kind = gw::RouteRule::Kind::prefix;
    route.rule.pattern = "/";
    route.action = gw::HandlerConfig{"", handler, {}};
    config.routes = {route};
  };
}

}  // namespace

TEST_CASE("connection: a client that leaves while a response of a program streams cancels its source") {
  int cancelled = 0;
  asio::io_context* io = nullptr;
  World world(only([&](gw::Context& c) {
    auto source = std::make_unique<Endless>(cancelled);
    source->io = io;
    gw::Response response(200);
    response.body = gw::Body(std::move(source));
    c.reply(std::move(response));
  }));
  io = &world.worker.io;
  const auto client = world.client();
  client->receive(get);
  client->receive_end();
  world.run();
  CHECK(cancelled == 1);
  CHECK(client->is_closed());
}

TEST_CASE("connection: a client that leaves while a handler waits is told to whom that matters, once") {
  int told = 0;
  gw::Event left;
  const auto tell = [&] { ++told, left.notify(); };
  World world(only([&](gw::Context& c) -> gw::Task<int> {
    gw::detail::ContextAccess::on_abandoned(c, [](void* f) { (*static_cast<decltype(tell)*>(f))(); }, const_cast<void*>(static_cast<const void*>(&tell)));
    while (told == 0) co_await left.wait();
    co_return 204;
  }));
  const auto client = world.client();
  client->receive(get);
  client->receive_end();
  world.run();
  CHECK(told == 1);
}

TEST_CASE("connection: what reads the content beside a handler ends before the request does") {
  std::vector<std::string> order;
  World world(only([&](gw::Context& c) {
    gw::detail::Host& host = *gw::detail::ContextAccess::host(c);
    host.begin_reading();
    const auto read = [](gw::Context& of, gw::detail::Host& from, std::vector<std::string>& to) -> gw::Task<> {
      const gw::Result<std::string> text = co_await of.req.body.text(1000);
      to.push_back(text ? *text : text.error().code.message());
      from.end_reading();
    };
    asio::co_spawn(world.worker.io, read(c, host, order), asio::detached);
    return 200;
  }));
  const auto client = world.client();
  leaves_after_answer(*client);
  client->receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  world.run();
  CHECK(read_responses(client->written()).at(0).status == 200);
  CHECK(order == std::vector<std::string>{gw::make_error_code(gw::Error::client_gone).message()});
  CHECK(world.counts.done == 1);
}

TEST_CASE("connection: draining answers what was asked, and closes what is idle") {
  World world(add_script_routes);
  const auto upstream = world.upstream();
  const auto idle = world.client(), busy = world.client(), asking = world.client();
  const auto resting = world.upstream();
  busy->receive(get);
  world.run_until([&] { return resting->requests.size() + upstream->requests.size() == 1; });
  asking->receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  world.worker.drain();
  CHECK(idle->is_closed());
  CHECK(world.worker.pool.idle(world.endpoint) == 0);
  for (const auto* u : {upstream.get(), resting.get()})
    if (!u->requests.empty()) const_cast<UpstreamPeer*>(u)->transport().receive(ok);
  world.run();
  CHECK(read_responses(busy->written()).at(0).body == "ok");
  CHECK(read_responses(busy->written()).at(0).headers["connection"] == "close");
  CHECK(read_responses(asking->written()).size() == 1);
  CHECK(read_responses(asking->written()).at(0).headers["connection"] == "close");
  CHECK(upstream->transport().is_closed());
  CHECK(resting->transport().is_closed());
}

TEST_CASE("connection: aborting ends every connection, whatever it waits for") {
  struct Case {
    std::string what;
    std::string said;
    std::string response;
  };
  const Case cases[] = {
      {"nothing", "", ""},
      {"the rest of a head", "GET / HTTP", ""},
      {"the head of a response", get, ""},
      {"the head of a response, with a stage", "GET /turn HTTP/1.1\r\nHost: a\r\n\r\n", ""},
      {"the head of a response, in a handler", "GET /sub HTTP/1.1\r\nHost: a\r\n\r\n", ""},
      {"the body of a response", get, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"},
      {"the body of a response, behind a filter", "GET /upper HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"},
      {"the body of a response, in a handler", "GET /sub HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"},
      {"the body of a request", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart", ""},
      {"the body of a request, in a handler", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart", ""},
      {"a tunnel", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
       "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    World world(add_script_routes);
    const auto upstream = world.upstream();
    upstream->responses = {c.response};
    upstream->when = UpstreamPeer::When::head;
    if (c.response.empty()) upstream->responses.clear();
    const auto client = world.client();
    client->receive(c.said);
    // Everything that can happen without the peers has happened.
    while (world.worker.io.poll() > 0) continue;
    world.worker.abort();
    world.run();
    CHECK(client->is_closed());
    CHECK(world.counts.complete <= 1);
  }
}

TEST_CASE("connection: the deadlines of a route take the place of those of gateway and upstream") {
  // All others are seconds: a test that waits for one of those takes too long.
  const auto with = [](gw::RouteTimeouts timeouts) {
    return [timeouts](gw::Config& config) {
      add_script_routes(config);
      for (gw::RouteConfig& route : config.routes)
        if (std::holds_alternative<gw::ForwardConfig>(route.action)) route.timeouts = timeouts;
    };
  };
  const std::string half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel";
  SUBCASE("client_body") {
    World world(with({.client_body = 1ms}));
    const auto upstream = world.upstream();
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive(half);
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 408);
  }
  SUBCASE("client_write") {
    World world(with({.client_write = 1ms}));
    const auto upstream = world.upstream();
    upstream->responses = {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(100000, 'x')};
    const auto client = world.client();
    client->stop_taking();
    client->receive(get);
    world.run();
    CHECK(client->is_closed());
    CHECK(world.counts.complete == 0);
  }
  SUBCASE("first_byte") {
    World world(with({.first_byte = 1ms}));
    const auto upstream = world.upstream();
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive(get);
    world.run();
    CHECK(read_responses(client->written()).at(0).status == 504);
  }
  SUBCASE("tunnel") {
    World world(with({.tunnel = 1ms}));
    const auto upstream = world.upstream();
    upstream->responses = {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"};
    const auto client = world.client();
    client->receive("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    world.run();
    CHECK(world.counts.failures.at(0) == "tunnel_timeout");
  }
  SUBCASE("body") {
    World world(with({.body = 1ms}));
    const auto upstream = world.upstream();
    upstream->responses = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
    const auto client = world.client();
    leaves_after_answer(*client);
    client->receive(get);
    world.run();
    CHECK(world.counts.failures.at(0) == "upstream_timeout");
    CHECK(world.counts.complete == 0);
  }
  SUBCASE("they end with the request") {
    World world([](gw::Config& config) {
      add_script_routes(config);
      config.timeouts.client_body = 1ms;
      config.routes[0].timeouts.client_body = 20s;
    });
    const auto upstream = world.upstream();
    upstream->responses = {ok};
    const auto client = world.client();
    client->receive(get + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    leaves_after_answer(*client);
    client->on_write = [&](std::string_view written) {
      if (written.find(" 408 ") != written.npos) client->receive_end();
    };
    world.run();
    CHECK(read_responses(client->written()).at(1).status == 408);
  }
}
