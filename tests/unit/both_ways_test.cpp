#include <doctest/doctest.h>

#include "support/proxy_scripts.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using gw::Method;
using namespace gw_test;
using namespace std::chrono_literals;

namespace {

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

/// A client that has sent half of its content, and an upstream that has answered at the head of the request.
struct Early {
  Early(World& w, const std::string& framing, const std::string& half, const std::string& response, bool ends = false)
      : world(w), upstream(w.upstream()), client(w.client()) {
    upstream->when = UpstreamPeer::When::head;
    upstream->responses = {response};
    upstream->ends = ends;
    client->receive("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n" + half);
    world.settle();
  }
  Message answer() const { return read_responses(client->written(), {Method::post}).at(0); }

  World& world;
  std::unique_ptr<UpstreamPeer> upstream;
  std::shared_ptr<MemoryTransport> client;
};

}  // namespace

TEST_CASE("both ways: an upstream that has answered and reads on gets the rest of the request") {
  const std::string large(150'000, 'x');
  const struct {
    std::string framing, half, rest, body;
    bool goes_on;  ///< the client's connection
  } cases[] = {
      {"Content-Length: 10", "hello", "world", "helloworld", true},
      {"Content-Length: 10", "", "helloworld", "helloworld", true},
      // Whether the client would send all of it was not known when the response began.
      {"Content-Length: 300000", large, large, large + large, false},
      {"Transfer-Encoding: chunked", "5\r\nhello\r\n", "5\r\nworld\r\n0\r\nSum: 7\r\n\r\n", "helloworld", false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.framing);
    World world(add_script_routes);
    Early e(world, c.framing, c.half, ok);
    CHECK(e.answer().is_complete);
    CHECK((e.answer().headers["connection"] == "close") == !c.goes_on);
    CHECK_FALSE(e.client->is_closed());
    CHECK_FALSE(e.upstream->transport().is_closed());
    CHECK(world.worker.pool.idle(world.endpoint) == 0);

    e.client->receive(c.rest + hello);
    e.client->receive_end();
    world.run();
    CHECK(e.upstream->requests.at(0).is_complete);
    CHECK(e.upstream->requests.at(0).body == c.body);
    CHECK(world.worker.pool.idle(world.endpoint) == 1);
    CHECK(read_responses(e.client->written(), {Method::post}).size() == (c.goes_on ? 2 : 1));
    CHECK(world.counts.failures.empty());
  }
}

TEST_CASE("both ways: what ends an upload behind its answer") {
  const struct {
    std::string what;
    std::string response;
    bool ends;
    std::function<void(Early&)> happens;
    bool breaks_chunks = false;
  } cases[] = {
      {"the upstream says that it closes", "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false,
       [](Early& e) { e.client->receive("never"); }},
      {"the upstream speaks HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, [](Early& e) { e.client->receive("never"); }},
      {"the upstream's answer lasts until it closes", "HTTP/1.1 200 OK\r\n\r\nall", true, [](Early& e) { e.client->receive("never"); }},
      {"the upstream breaks", ok, false,
       [](Early& e) {
         e.upstream->transport().receive_reset();
         e.client->receive("lost");
       }},
      {"the client ends", ok, false, [](Early& e) { e.client->receive_end(); }},
      {"the client breaks", ok, false, [](Early& e) { e.client->receive_reset(); }},
      {"the client sends no more", ok, false, [](Early& e) { e.world.pass(31s); }},
      {"the upstream takes no more", ok, false,
       [](Early& e) {
         e.upstream->transport().stop_taking();
         e.client->receive("stuck");
         e.world.settle();
         e.world.pass(31s);
       }},
      {"the client breaks its framing", ok, false, [](Early& e) { e.client->receive("\r\nnonsense\r\n"); }, true},
      {"the gateway stops", ok, false, [](Early& e) { e.world.worker.abort(); }},
  };
  for (const auto& c : cases) {
    for (const bool is_chunked : {false, true}) {
      CAPTURE(c.what);
      CAPTURE(is_chunked);
      if (c.breaks_chunks && !is_chunked) continue;
      World world(add_script_routes);
      Early e(world, is_chunked ? "Transfer-Encoding: chunked" : "Content-Length: 500000", is_chunked ? "5\r\nstart\r\n" : "start", c.response, c.ends);
      CHECK(e.answer().is_complete);
      c.happens(e);
      world.settle();
      // Nobody lingers longer than it takes to read the answer.
      world.pass(2s);
      world.run();
      CHECK(e.client->is_closed());
      CHECK(e.upstream->transport().is_closed());
      CHECK(e.upstream->requests.at(0).body == "start");
      CHECK_FALSE(e.upstream->requests.at(0).is_complete);
      CHECK(world.worker.pool.total(world.endpoint) == 0);
      CHECK(world.counts.complete == 1);
    }
  }
}

TEST_CASE("both ways: what an upstream says behind its answer, while the request goes on, is nobody's answer") {
  World world(add_script_routes);
  Early e(world, "Content-Length: 10", "hello", ok);
  e.upstream->transport().receive("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
  world.settle();
  e.client->receive("world" + std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  e.client->receive_end();
  world.run();
  const std::vector<Message> got = read_responses(e.client->written(), {Method::post});
  REQUIRE(got.size() == 2);
  CHECK(got[1].status == 502);
  CHECK(e.upstream->transport().is_closed());
}

TEST_CASE("both ways: an upstream that answers and takes nothing more still gets its answer through") {
  World world(add_script_routes);
  const auto upstream = world.upstream();
  upstream->when = UpstreamPeer::When::head;
  upstream->responses = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"};
  const auto client = world.client();
  client->receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
  world.settle();
  upstream->transport().stop_taking();
  client->receive(std::string(500'000, 'x'));
  world.settle();
  // Longer than the upstream may take for a piece; its answer goes on meanwhile.
  for (int i = 0; i < 4; ++i) {
    world.pass(20s);
    upstream->transport().receive("4\r\nmore\r\n");
    world.settle();
  }
  upstream->transport().receive("0\r\n\r\n");
  client->receive_end();
  world.run();
  const Message got = read_responses(client->written(), {Method::post}).at(0);
  CHECK(got.is_complete);
  CHECK(got.body == "firstmoremoremoremore");
  CHECK(world.counts.failures.empty());
  CHECK(upstream->transport().is_closed());
}

TEST_CASE("both ways: a client that waits for 100 and gets its answer instead is not left waiting") {
  const std::string statuses[] = {"413 Content Too Large", "417 Expectation Failed", "401 Unauthorized", "200 OK", "302 Found"};
  for (const std::string& status : statuses) {
    for (const std::string connection : {"", "Connection: close\r\n"}) {
      CAPTURE(status);
      World world(add_script_routes);
      Early e(world, "Expect: 100-continue\r\nContent-Length: 10", "", "HTTP/1.1 " + status + "\r\n" + connection + "Content-Length: 2\r\n\r\nno");
      const Message got = e.answer();
      CHECK(got.status == std::stoi(status));
      CHECK(got.is_complete);
      // What comes next may be the body or another request: nobody can tell.
      CHECK(got.headers["connection"] == "close");
      CHECK(e.client->has_shut_down());
      CHECK(e.upstream->transport().is_closed());
      e.client->receive("helloworld" + hello);
      e.client->receive_end();
      world.run();
      CHECK(read_responses(e.client->written(), {Method::post}).size() == 1);
      CHECK(e.upstream->requests.at(0).body.empty());
    }
  }
}

TEST_CASE("both ways: who tells a client to go on") {
  struct ReadsAll {
    gw::Task<> operator()(gw::Context& c, gw::Next next) const {
      gw::Result<std::string> text = co_await c.req.body.text(100);
      if (text) c.req.body = gw::Body(*text + " read");
      co_await next();
    }
  };
  struct DropsExpect {
    void request(gw::Context& c) const { c.req.headers.remove("expect"); }
  };
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  const struct {
    std::string what;
    std::function<void(gw::RouteConfig&)> edit;
    std::string request;
    bool upstream_says;   ///< 100, if it is asked
    bool is_asked;        ///< the upstream
    int told;             ///< how often the client is
    std::string body;
  } cases[] = {
      {"the upstream", [](gw::RouteConfig&) {}, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n", true, true, 1, "ping"},
      {"a stage that reads the body", [](gw::RouteConfig& r) { r.use.push_back(gw::Stage(ReadsAll{})); },
       "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n", false, false, 1, "ping read"},
      {"gw, if a stage takes the question away", [](gw::RouteConfig& r) { r.use.push_back(gw::Stage(DropsExpect{})); },
       "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n", false, false, 1, "ping"},
      {"the upstream, whatever Connection names", [](gw::RouteConfig&) {}, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: expect\r\n", true,
       true, 1, "ping"},
      {"nobody in HTTP/1.0", [](gw::RouteConfig&) {}, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n", true, false, 0, "ping"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    World world([&](gw::Config& config) { c.edit(config.routes[0]); });
    const auto upstream = world.upstream();
    upstream->responses = {ok};
    const auto client = world.client();
    client->receive(c.request + "Content-Length: 4\r\n\r\n");
    world.settle();
    const bool is_waiting = c.request.find("HTTP/1.1") != std::string::npos;
    if (c.is_asked || !is_waiting) {
      CHECK(client->written().empty());
      REQUIRE(upstream->requests.size() == 1);
      if (c.upstream_says) upstream->transport().receive(go_on);
      world.settle();
    }
    CHECK(client->written() == (c.told ? go_on : ""));
    client->receive("ping");
    client->receive_end();
    world.run();
    CHECK(upstream->requests.at(0).headers.has("expect") == c.is_asked);
    CHECK(upstream->requests.at(0).body == c.body);
    const std::vector<Message> got = read_responses(client->written(), {Method::post});
    REQUIRE(got.size() == static_cast<std::size_t>(c.told + 1));
    CHECK(got.back().body == "ok");
  }
}

TEST_CASE("both ways: trailers and what announces them go on, but not to HTTP/1.0") {
  const std::string response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n2\r\nok\r\n0\r\nSum: 1\r\nSet-Cookie: a\r\n\r\n";
  for (const std::string version : {"1.0", "1.1"}) {
    CAPTURE(version);
    World world(add_script_routes);
    const auto upstream = world.upstream();
    upstream->responses = {response};
    const auto client = world.client();
    client->receive("POST / HTTP/" + version + "\r\nHost: a\r\n" +
                    (version == "1.1" ? "TE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: Check\r\n\r\n2\r\nhi\r\n0\r\nCheck: 2\r\nHost-Name: x\r\n\r\n"
                                      : "Content-Length: 2\r\n\r\nhi"));
    client->receive_end();
    world.run();
    const Message got = read_responses(client->written(), {Method::post}).at(0);
    CHECK(got.body == "ok");
    CHECK(got.headers["trailer"] == "Sum");
    CHECK(got.trailers["sum"] == (version == "1.1" ? "1" : ""));
    CHECK_FALSE(got.trailers.has("set-cookie"));
    const Message& asked = upstream->requests.at(0);
    CHECK(asked.headers["te"] == (version == "1.1" ? "trailers" : ""));
    CHECK(asked.headers["trailer"] == (version == "1.1" ? "Check" : ""));
    CHECK(asked.trailers["check"] == (version == "1.1" ? "2" : ""));
  }
}
