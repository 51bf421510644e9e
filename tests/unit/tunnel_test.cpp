#include <doctest/doctest.h>

#include "support/proxy_scripts.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace gw_test;

namespace {

const std::string ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";

/// A tunnel that is open. Its upstream says only what it is told to.
struct OpenTunnel {
  explicit OpenTunnel(World& w) : world(w), upstream(w.upstream()), client(w.client()) {
    upstream->responses = {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"};
    upstream->echoes = false;
    const auto before = world.worker.counters.tunnels.value();
    client->receive(ask);
    world.run_until([&] { return world.worker.counters.tunnels.value() == before + 1; });
    world.settle();
    CHECK(client->written() == switched);
  }
  std::string received() const { return client->written().substr(switched.size()); }

  World& world;
  std::unique_ptr<UpstreamPeer> upstream;
  std::shared_ptr<MemoryTransport> client;
};

}  // namespace

TEST_CASE("tunnel: bytes go both ways, in any order and at once") {
  World world(add_script_routes);
  OpenTunnel t(world);
  t.client->receive("one ");
  world.settle();
  CHECK(t.upstream->tunneled == "one ");
  t.upstream->transport().receive("two ");
  world.settle();
  CHECK(t.received() == "two ");
  const std::string large(1'000'000, 'x');
  t.client->receive(large);
  t.upstream->transport().receive(large);
  world.settle();
  CHECK(t.upstream->tunneled == "one " + large);
  CHECK(t.received() == "two " + large);
  t.client->receive_end();
  t.upstream->transport().receive_end();
  world.run();
  CHECK(world.counts.complete == 1);
  CHECK(world.counts.failures.empty());
}

TEST_CASE("tunnel: the end of one half is passed on, and the other half goes on") {
  for (const bool is_client_first : {true, false}) {
    CAPTURE(is_client_first);
    World world(add_script_routes);
    OpenTunnel t(world);
    MemoryTransport& first = is_client_first ? *t.client : t.upstream->transport();
    MemoryTransport& second = is_client_first ? t.upstream->transport() : *t.client;
    first.receive("last words");
    first.receive_end();
    world.settle();
    CHECK((is_client_first ? t.upstream->tunneled : t.received()) == "last words");
    CHECK(second.has_shut_down());
    CHECK_FALSE(first.has_shut_down());
    CHECK_FALSE(first.is_closed());
    CHECK_FALSE(second.is_closed());

    second.receive("an answer");
    world.settle();
    CHECK((is_client_first ? t.received() : t.upstream->tunneled) == "an answer");
    second.receive_end();
    world.run();
    CHECK(first.is_closed());
    CHECK(second.is_closed());
    CHECK_FALSE(first.was_reset());
    CHECK_FALSE(second.was_reset());
    CHECK(world.counts.complete == 1);
    CHECK(world.counts.failures.empty());
  }
}

TEST_CASE("tunnel: what breaks one side cuts the other, which does not look like an end") {
  const struct {
    std::string what;
    std::function<void(OpenTunnel&)> happens;
    std::string failure;
  } cases[] = {
      {"the client resets", [](OpenTunnel& t) { t.client->receive_reset(); }, "client_gone"},
      {"the upstream resets", [](OpenTunnel& t) { t.upstream->transport().receive_reset(); }, "upstream_reset"},
      {"the client resets after its end",
       [](OpenTunnel& t) {
         t.client->receive_end();
         t.world.settle();
         t.client->receive_reset();
         t.upstream->transport().receive("nobody reads this");
       },
       "client_gone"},
      {"the client resets while it has not taken what there is",
       [](OpenTunnel& t) {
         t.client->stop_taking();
         t.upstream->transport().receive(std::string(100'000, 'x'));
         t.world.settle();
         t.client->receive_reset();
       },
       "client_gone"},
      {"the gateway stops", [](OpenTunnel& t) { t.world.worker.abort(); }, "stopped"},
      {"the gateway stops after the end of one half",
       [](OpenTunnel& t) {
         t.upstream->transport().receive_end();
         t.world.settle();
         t.world.worker.abort();
       },
       "stopped"},
      {"the gateway stops while nobody takes anything",
       [](OpenTunnel& t) {
         t.client->stop_taking();
         t.upstream->transport().stop_taking();
         t.client->receive("x");
         t.upstream->transport().receive("y");
         t.world.settle();
         t.world.worker.abort();
       },
       "stopped"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    World world(add_script_routes);
    OpenTunnel t(world);
    c.happens(t);
    world.run();
    CHECK(t.client->was_reset());
    CHECK(t.upstream->transport().was_reset());
    CHECK(world.counts.failures == std::vector<std::string>{c.failure});
    CHECK(world.counts.complete == 0);
  }
}

TEST_CASE("tunnel: it is cut when nothing has moved for its time, in either direction") {
  using namespace std::chrono_literals;
  World world(add_script_routes);
  OpenTunnel t(world);
  // An hour without a word from the other side each time, but never an hour of silence.
  for (int i = 0; i < 3; ++i) {
    world.pass(40min);
    t.client->receive("x");
    world.settle();
  }
  for (int i = 0; i < 3; ++i) {
    world.pass(40min);
    t.upstream->transport().receive("y");
    world.settle();
  }
  CHECK(t.upstream->tunneled == "xxx");
  CHECK(t.received() == "yyy");
  world.pass(59min);
  CHECK_FALSE(t.client->is_closed());
  world.pass(2min);
  world.run();
  CHECK(t.client->was_reset());
  CHECK(t.upstream->transport().was_reset());
  CHECK(world.counts.failures == std::vector<std::string>{"tunnel_timeout"});
}

TEST_CASE("tunnel: who takes nothing does not hold it beyond its time") {
  using namespace std::chrono_literals;
  World world(add_script_routes);
  OpenTunnel t(world);
  t.client->stop_taking();
  t.upstream->transport().receive("nobody takes this");
  world.settle();
  world.pass(59min);
  CHECK_FALSE(t.client->is_closed());
  world.pass(2min);
  world.run();
  CHECK(world.counts.failures == std::vector<std::string>{"tunnel_timeout"});
}

TEST_CASE("tunnel: draining leaves tunnels alone") {
  World world(add_script_routes);
  OpenTunnel t(world);
  world.worker.drain();
  t.client->receive("still here");
  world.settle();
  CHECK(t.upstream->tunneled == "still here");
  CHECK(world.worker.has_connections());
  t.client->receive_end();
  t.upstream->transport().receive_end();
  world.run();
  CHECK(world.counts.complete == 1);
}

TEST_CASE("tunnel: those where nothing moves hold no buffers beside those of the heads") {
  World world(add_script_routes);
  std::vector<std::unique_ptr<OpenTunnel>> tunnels;
  for (int i = 0; i < 3; ++i) tunnels.push_back(std::make_unique<OpenTunnel>(world));
  for (int round = 0; round < 2; ++round) {
    for (const auto& t : tunnels) {
      t->client->receive("to and ");
      t->upstream->transport().receive("fro");
      world.settle();
    }
  }
  // One was enough for all of them.
  CHECK(world.worker.buffers.size() == 1);
  for (const auto& t : tunnels) {
    CHECK(t->upstream->tunneled == "to and to and ");
    CHECK(t->received() == "frofro");
    t->client->receive_end();
    t->upstream->transport().receive_end();
  }
  world.run();
  CHECK(world.worker.buffers.size() == 7);
}

TEST_CASE("tunnel: bytes and the end of a tunnel are what its request is counted by") {
  std::vector<std::string> seen;
  struct Note {
    std::vector<std::string>* seen;
    void done(const gw::Context& c) const {
      seen->push_back(std::to_string(c.final_status()) + ' ' + std::to_string(c.bytes_received()) + ' ' + std::to_string(c.bytes_sent()));
    }
  };
  World world([&](gw::Config& config) {
    add_script_routes(config);
    config.use.push_back(gw::Stage(Note{&seen}));
  });
  OpenTunnel t(world);
  t.client->receive("hello");
  t.upstream->transport().receive("hello, too");
  world.settle();
  CHECK(seen.empty());
  t.client->receive_end();
  t.upstream->transport().receive_end();
  world.run();
  CHECK(seen == std::vector<std::string>{"101 5 10"});
}

TEST_CASE("tunnel: a stage that looks for content of a 101 finds none, and takes nothing from the tunnel") {
  std::string found = "nothing";
  World world([&](gw::Config& config) {
    add_script_routes(config);
    config.use.push_back(gw::Stage([&found](gw::Context& c, gw::Next next) -> gw::Task<> {
      co_await next();
      const gw::Result<std::string> text = co_await c.res.body.text(100);
      found = text ? *text : "failed";
    }));
  });
  const auto upstream = world.upstream();
  upstream->responses = {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly "};
  upstream->ends = true;
  const auto client = world.client();
  client->receive(ask + "bird");
  client->receive_end();
  world.run();
  CHECK(found == "");
  CHECK(client->written() == switched + "early bird");
  CHECK(world.counts.complete == 1);
}
