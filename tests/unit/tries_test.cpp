#include <doctest/doctest.h>

#include "support/memory_world.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using gw_test::Message, gw_test::MemoryTransport, gw_test::UpstreamPeer, gw_test::World, gw_test::read_responses;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

/// What an endpoint does with a connection.
enum class Does { answer, refuse, reset, reset_at_once, reset_at_head, hang, say_busy, break_head };

/// A gateway before three endpoints, which are asked in turn: 127.0.0.1:1, :2 and :3; and another upstream, "other", at :4, which answers.
class Three {
 public:
  explicit Three(std::vector<Does> does, const std::function<void(gw::UpstreamOptions&)>& edit = {}, std::size_t count = 3)
      : does_(std::move(does)), world_([&](gw::Config& config) {
          gw::UpstreamConfig& up = config.upstreams.front();
          up.endpoints.clear();
          for (std::size_t i = 1; i <= count; ++i) up.endpoints.emplace_back("127.0.0.1:" + std::to_string(i));
          up.options.balance = gw::Balance::round_robin;
          up.options.retries = {};
          if (edit) edit(up.options);
          config.upstreams.push_back({"other", {gw::EndpointOptions("127.0.0.1:4")}, {}, {}});
        }) {
    does_.resize(4, Does::answer);
    world_.hold_time();
    world_.worker.connect = [this](const gw::proxy::Endpoint::Address& address, std::error_code& ec) -> std::shared_ptr<gw::Transport> {
      const auto to = gw_test::tcp_of(address);
      tried += static_cast<char>('0' + to.port());
      const Does deed = does_.at(to.port() - 1u);
      if (deed == Does::refuse) {
        ec = asio::error::connection_refused;
        return nullptr;
      }
      auto transport = std::make_shared<MemoryTransport>(world_.worker.io, world_.worker.wheel, world_.faults, MemoryTransport::whole, MemoryTransport::whole);
      UpstreamPeer& peer = *peers.emplace_back(std::make_unique<UpstreamPeer>(transport));
      peer.respond = [this, deed](const Message&) -> std::string {
        ++requests;
        return deed == Does::answer ? ok : deed == Does::say_busy ? busy : deed == Does::break_head ? "HTTP/1.1 200 O" : "";
      };
      peer.ends = deed == Does::reset || deed == Does::reset_at_head || deed == Does::break_head;
      if (deed == Does::reset_at_head) peer.when = UpstreamPeer::When::head;
      if (deed == Does::reset_at_once) transport->receive_reset();
      return transport;
    };
  }

  /// What a client gets that says `bytes`, and then nothing more; so much time passes.
  std::vector<Message> ask(const std::string& bytes, gw::Method method = gw::Method::get, gw::Duration time = 0s) {
    const auto client = world_.client();
    client->receive(bytes);
    world_.settle();
    for (gw::Duration passed{0}; passed < time; passed += 100ms) world_.pass(100ms);
    client->receive_end();
    world_.run_in_no_time();
    return read_responses(client->written(), {method, method});
  }
  int status(const std::string& bytes = get, gw::Method method = gw::Method::get, gw::Duration time = 0s) {
    const auto got = ask(bytes, method, time);
    return got.empty() ? 0 : got.back().status;
  }

  const gw::proxy::UpstreamCounters& counters() { return world_.shared.metrics.upstream("up")->of(0); }
  World& world() { return world_; }
  void now(std::vector<Does> does) {
    does_ = std::move(does);
    does_.resize(4, Does::answer);
  }

  std::string tried;   ///< the endpoints to which connections were begun
  int requests = 0;    ///< that have arrived
  std::vector<std::unique_ptr<UpstreamPeer>> peers;

 private:
  std::vector<Does> does_;
  World world_;
};

using enum Does;

std::string with_body(const std::string& method, std::size_t size, const std::string& more = "") {
  return method + " / HTTP/1.1\r\nHost: a\r\n" + more + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x');
}

}  // namespace

TEST_CASE("tries: a failed one is followed by one on another endpoint") {
  struct Case {
    const char* what;
    std::vector<Does> does;
    std::string request;
    int status;
    std::string tried;
    int requests;
    std::function<void(gw::UpstreamOptions&)> edit = {};
  };
  const auto none = [](gw::UpstreamOptions& o) { o.retries.max = 0; };
  const auto all_methods = [](gw::UpstreamOptions& o) { o.retries.all_methods = true; };
  const auto statuses = [](gw::UpstreamOptions& o) { o.retries.statuses = {503}; };
  const std::string post = with_body("POST", 5);
  const Case cases[] = {
      {"all is well", {answer, answer, answer}, get, 200, "1", 1},
      {"no connection; the turns of those that are left begin anew", {refuse, refuse, answer}, get, 200, "13", 1},
      {"no connection, and no retries", {refuse, refuse, answer}, get, 200, "13", 1, none},
      {"no connection for a POST", {refuse, answer, answer}, post, 200, "13", 1},
      {"no connection anywhere", {refuse, refuse, refuse}, get, 502, "132", 0},
      {"a reset", {reset, answer, answer}, get, 200, "12", 2},
      {"two of them", {reset, reset, answer}, get, 200, "123", 3},
      {"three of them", {reset, reset, reset}, get, 502, "123", 3},
      {"a reset, no connection, an answer", {reset, refuse, answer}, get, 200, "123", 2},
      {"a head that breaks off", {break_head, answer, answer}, get, 200, "12", 2},
      {"no retries", {reset, answer, answer}, get, 502, "1", 1, none},
      {"a POST had its effect", {reset, answer, answer}, post, 502, "1", 1},
      {"a POST that may be repeated", {reset, answer, answer}, with_body("POST", 5, "Idempotency-Key: 7\r\n"), 200, "12", 2},
      {"every method may be repeated", {reset, answer, answer}, post, 200, "12", 2, all_methods},
      {"a PUT with content", {reset, answer, answer}, with_body("PUT", 5), 200, "12", 2},
      {"a PUT in chunks", {reset, answer, answer}, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "12", 2},
      {"a status", {say_busy, answer, answer}, get, 503, "1", 1},
      {"a status that counts as none", {say_busy, answer, answer}, get, 200, "12", 2, statuses},
      {"everywhere", {say_busy, say_busy, say_busy}, get, 503, "123", 3, statuses},
      {"a status for a POST", {say_busy, answer, answer}, post, 503, "1", 1, statuses},
      {"a status, and nobody else takes the retry: who said it gets that, too", {say_busy, refuse, refuse}, get, 503, "123121", 3, statuses},
      {"a reset, and nobody else takes the retry", {reset, refuse, refuse}, get, 502, "123121", 3},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Three three(c.does, c.edit);
    const auto method = gw::parse_method(c.request.substr(0, c.request.find(' ')));
    CHECK(three.status(c.request, *method, 1s) == c.status);
    CHECK(three.tried == c.tried);
    CHECK(three.requests == c.requests);
  }
}

namespace {

/// Puts `size` bytes in pieces; the first endpoint does `first`, and the second must get them all.
void check_content(Does first, std::size_t size, bool is_chunked, std::size_t piece) {
  CAPTURE(static_cast<int>(first));
  CAPTURE(size);
  CAPTURE(is_chunked);
  CAPTURE(piece);
  Three three({first, answer, answer});
  const auto client = three.world().client();
  std::string body(size, 'x');
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i % 26);
  client->receive("PUT / HTTP/1.1\r\nHost: a\r\n" + (is_chunked ? std::string("Transfer-Encoding: chunked") : "Content-Length: " + std::to_string(size)) + "\r\n\r\n");
  three.world().settle();
  for (std::size_t at = 0; at < size; at += piece) {
    const std::string part = body.substr(at, piece);
    char head[20];
    std::snprintf(head, sizeof head, "%zx\r\n", part.size());
    client->receive(is_chunked ? head + part + "\r\n" : part);
    three.world().settle();
  }
  if (is_chunked) client->receive("0\r\nx-sum: 1\r\n\r\n");
  three.world().settle();
  client->receive_end();
  three.world().run_in_no_time();
  const auto got = read_responses(client->written(), {gw::Method::put});
  REQUIRE(got.size() == 1);
  CHECK(got[0].status == 200);
  REQUIRE(three.peers.size() == 2);
  const Message& again = three.peers[1]->requests.at(0);
  CHECK(again.is_complete);
  CHECK(again.body == body);
  CHECK(again.trailers["x-sum"] == (is_chunked ? "1" : ""));
}

}  // namespace

TEST_CASE("tries: the whole content goes to the next endpoint, whenever the first fails") {
  for (const Does first : {reset, reset_at_once, reset_at_head})
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{20'000}, std::size_t{64 * 1024}})
      for (const bool is_chunked : {false, true})
        for (const std::size_t piece : {std::size_t{1'000}, std::size_t{100'000}}) check_content(first, size, is_chunked, piece);
}

TEST_CASE("tries: content that is too large to be kept is sent once") {
  Three three({reset, answer, answer}, [](gw::UpstreamOptions& o) { o.retries.body = 1000; });
  std::string log;
  three.world().shared.log = [&](gw::LogLevel, std::string_view line) { log += line; };
  const auto client = three.world().client();
  client->receive("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  three.world().settle();
  for (int i = 0; i < 2; ++i) client->receive("3e8\r\n" + std::string(1000, 'x') + "\r\n");
  three.world().settle();
  client->receive("0\r\n\r\n");
  client->receive_end();
  three.world().run_in_no_time();
  CHECK(read_responses(client->written(), {gw::Method::put}).at(0).status == 502);
  CHECK(three.tried == "1");
  CHECK(log.find("retries.body (1000 bytes)") != std::string::npos);
  CHECK(three.counters().retries_too_large.value() == 1);
}

TEST_CASE("tries: an endpoint that hangs has its time, and the last one all of it") {
  struct Case {
    const char* what;
    std::vector<Does> does;
    gw::Duration time;
    int status;
    std::string tried;
    std::string request = get;
  };
  const Case cases[] = {
      {"before per_try", {hang, answer, answer}, 1900ms, 0, "1"},
      {"after it", {hang, answer, answer}, 2300ms, 200, "12"},
      {"two that hang", {hang, hang, answer}, 4500ms, 200, "123"},
      {"a POST waits", {hang, answer, answer}, 29s, 0, "1", with_body("POST", 5)},
      {"and fails", {hang, answer, answer}, 31s, 504, "1", with_body("POST", 5)},
      {"all that hang", {hang, hang, hang}, 29s, 0, "123"},
      {"all that hang, at last", {hang, hang, hang}, 37s, 504, "123"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Three three(c.does);
    const auto client = three.world().client();
    client->receive(c.request);
    three.world().settle();
    for (gw::Duration passed{0}; passed < c.time; passed += 100ms) three.world().pass(100ms);
    const auto got = read_responses(client->written(), {*gw::parse_method(c.request.substr(0, c.request.find(' ')))});
    CHECK((got.empty() ? 0 : got[0].status) == c.status);
    CHECK(three.tried == c.tried);
    client->receive_end();
    three.world().run_in_no_time();
  }
}

TEST_CASE("tries: a lonely endpoint that hangs has all the time, and one that breaks is asked again") {
  Three hangs({hang}, {}, 1);
  const auto client = hangs.world().client();
  client->receive(get);
  for (int i = 0; i < 290; ++i) hangs.world().pass(100ms);
  CHECK(client->written().empty());
  for (int i = 0; i < 20; ++i) hangs.world().pass(100ms);
  CHECK(read_responses(client->written()).at(0).status == 504);
  CHECK(hangs.tried == "1");
  client->receive_end();
  hangs.world().run_in_no_time();

  Three breaks({reset}, {}, 1);
  CHECK(breaks.status(get, gw::Method::get, 2s) == 502);
  CHECK(breaks.tried == "111");
}

TEST_CASE("tries: a client that leaves ends a pause") {
  Three three({reset}, [](gw::UpstreamOptions& o) { o.retries.backoff = 20s; }, 1);
  const auto client = three.world().client();
  client->receive(get);
  three.world().settle();
  client->receive_reset();
  three.world().run_in_no_time();
  CHECK(three.world().counts.failures == std::vector<std::string>{"client_gone"});
}

TEST_CASE("tries: an endpoint that fails is left out, and tried by one request when its time is over") {
  Three three({refuse, answer, answer}, [](gw::UpstreamOptions& o) { o.health.eject.time = 1ms; });
  for (int i = 0; i < 3; ++i) CHECK(three.status() == 200);
  const std::size_t refused = static_cast<std::size_t>(std::count(three.tried.begin(), three.tried.end(), '1'));
  CHECK(refused >= 1);
  CHECK(three.counters().ejections.value() == refused);
  three.now({answer, answer, answer});
  // Real time: a millisecond or more.
  const auto before = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() < before + 20ms) continue;
  CHECK(three.status() == 200);
  CHECK(three.tried.back() == '1');
}

TEST_CASE("tries: retries end where the budget does") {
  Three three({reset, reset, reset}, [](gw::UpstreamOptions& o) {
    o.retries.floor = 0;
    o.retries.budget = 0;
  });
  CHECK(three.status(get, gw::Method::get, 2s) == 502);
  CHECK(three.tried == "1");
  CHECK(three.counters().retries.value() == 0);
  CHECK(three.counters().retries_denied.value() == 1);
}

TEST_CASE("tries: nothing is left of tries that fail at any operation") {
  for (std::size_t broken = 0; broken < 40; ++broken) {
    CAPTURE(broken);
    Three three({reset, say_busy, answer}, [](gw::UpstreamOptions& o) { o.retries.statuses = {503}; });
    three.world().faults.fail_at = broken;
    const auto client = three.world().client();
    client->receive(with_body("PUT", 3000) + get);
    client->receive_end();
    three.world().run_in_no_time();
    CHECK(three.counters().running.value() == 0);
  }
}

TEST_CASE("tries: requests above the bound wait for their turn") {
  struct Case {
    const char* what;
    gw::QueueOptions queue;
    gw::Duration time;   // until the first client leaves
    int status;          // of the second, which asks meanwhile
    std::string failure;
  };
  const Case cases[] = {
      {"it is let in when the first has left", {.length = 1, .time = 5s}, 1s, 200, ""},
      {"it waits too long", {.length = 1, .time = 1s}, 3s, 503, "upstream_busy"},
      {"nobody may wait", {}, 0s, 503, "upstream_busy"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Three three({hang, answer, answer}, [&](gw::UpstreamOptions& o) {
      o.requests = 1;
      o.queue = c.queue;
      o.retries.max = 0;
    });
    const auto first = three.world().client();
    first->receive(get);
    three.world().settle();
    const auto second = three.world().client();
    second->receive(get);
    three.world().settle();
    CHECK(three.requests == 1);
    for (gw::Duration passed{0}; passed < c.time; passed += 100ms) three.world().pass(100ms);
    first->receive_reset();
    for (int i = 0; i < 5; ++i) three.world().pass(100ms);
    const auto got = read_responses(second->written());
    REQUIRE(got.size() == 1);
    CHECK(got[0].status == c.status);
    second->receive_end();
    three.world().run_in_no_time();
    const auto& failures = three.world().counts.failures;
    CHECK((std::count(failures.begin(), failures.end(), c.failure) > 0) == !c.failure.empty());
  }
}

TEST_CASE("tries: a client that leaves gives its place in the queue up") {
  Three three({hang, answer, answer}, [&](gw::UpstreamOptions& o) {
    o.requests = 1;
    o.queue = {.length = 1, .time = 10s};
  });
  const auto first = three.world().client();
  first->receive(get);
  three.world().settle();
  for (int i = 0; i < 3; ++i) {
    const auto next = three.world().client();
    next->receive(get);
    three.world().settle();
    next->receive_reset();
    for (int n = 0; n < 5; ++n) three.world().pass(100ms);
  }
  CHECK(three.world().counts.failures == std::vector<std::string>{"client_gone", "client_gone", "client_gone"});
  first->receive_reset();
  three.world().run_in_no_time();
}

TEST_CASE("tries: another upstream or a reply answers for one that could not") {
  struct Case {
    const char* what;
    std::vector<Does> does;
    std::string request;
    int status;
    std::string tried;
    std::string failure = {};
  };
  const Case to_other[] = {
      {"nothing fails", {answer, answer, answer}, get, 200, "1"},
      {"no connection", {refuse, refuse, refuse}, get, 200, "1324"},
      {"no connection for a POST", {refuse, refuse, refuse}, with_body("POST", 5), 200, "1324"},
      {"resets", {reset, reset, reset}, get, 200, "1234"},
      {"a POST had its effect", {reset, answer, answer}, with_body("POST", 5), 502, "1", "upstream_reset"},
      {"a PUT with its content", {reset, reset, reset}, with_body("PUT", 5), 200, "1234"},
      {"an answer is an answer", {say_busy, answer, answer}, get, 503, "1"},
      {"the other fails as well", {refuse, refuse, refuse, refuse}, get, 502, "1324", "connect_failed"},
  };
  const auto check = [](const Case& c, const std::function<void(gw::UpstreamOptions&)>& edit) {
    CAPTURE(c.what);
    Three three(c.does, edit);
    CHECK(three.status(c.request, *gw::parse_method(c.request.substr(0, c.request.find(' '))), 1s) == c.status);
    CHECK(three.tried == c.tried);
    CHECK(three.world().counts.failures == (c.failure.empty() ? std::vector<std::string>{} : std::vector<std::string>{c.failure}));
  };
  for (const Case& c : to_other) check(c, [](gw::UpstreamOptions& o) { o.fallback = "other"; });
  const Case to_reply[] = {
      {"nothing fails", {answer, answer, answer}, get, 200, "1"},
      {"no connection", {refuse, refuse, refuse}, get, 299, "132", "connect_failed"},
      {"a POST had its effect", {reset, answer, answer}, with_body("POST", 5), 299, "1", "upstream_reset"},
  };
  for (const Case& c : to_reply) check(c, [](gw::UpstreamOptions& o) { o.fallback = gw::ReplyConfig{.status = 299, .content = "soon"}; });
}

TEST_CASE("tries: an upstream that fails as a whole is not asked for a while") {
  Three three({say_busy, say_busy, say_busy}, [](gw::UpstreamOptions& o) {
    o.breaker = gw::BreakerOptions{.requests = 3};
    o.health.eject.share = 0;
  });
  for (int i = 0; i < 3; ++i) CHECK(three.status() == 503);
  CHECK(three.requests == 3);
  CHECK(three.status() == 503);
  CHECK(three.requests == 3);
  CHECK(three.world().counts.failures == std::vector<std::string>{"circuit_open"});
}
