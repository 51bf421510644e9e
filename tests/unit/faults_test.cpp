#include <doctest/doctest.h>

#include "support/proxy_scripts.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace gw_test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t whole = MemoryTransport::whole;

/// What happens at some operation.
enum class Accident { reset, end, silence, drain, abort };

/// On what connection the first request goes upstream.
enum class Meeting {
  reused,
  fresh,
  stale,  ///< a reused one, which the upstream closes when it has the request
};

struct Play {
  const Script& script;
  Accident accident;
  Meeting meeting;
  std::size_t fragment;
};

/// The gateway and an upstream that know each other already: what a request needs has been made once, and lies in its store.
class Stage {
 public:
  explicit Stage(const Play& play) : world(add_script_routes), play_(play) {
    world.hold_time();
    world.accept(
        [&script = play.script](UpstreamPeer& peer) {
          peer.when = script.when;
          peer.at_head = script.at_head;
          peer.ends = script.upstream_ends;
          peer.respond = [&script](const Message& request) { return response_to(script, request.start); };
        },
        play.fragment, play.fragment);
    ask();
    UpstreamPeer& first = *world.accepted.at(0);
    first.requests.clear();
    if (play.meeting == Meeting::fresh || play.script.upstream_ends) world.worker.pool.clear_idle([](const auto&) {});
    if (play.meeting == Meeting::stale) {
      first.ends = true;
      first.respond = [](const Message&) { return std::string(); };
    }
    world.faults.operations = 0;
  }

  /// Arranges for the accident.
  void arm(std::size_t n) {
    world.faults.fail_at = n;
    switch (play_.accident) {
      case Accident::reset: world.faults.kind = Faults::Kind::reset; break;
      case Accident::end: world.faults.kind = Faults::Kind::end; break;
      case Accident::silence: world.faults.kind = Faults::Kind::silence; break;
      case Accident::drain: happens([](gw::proxy::Worker& worker) { worker.drain(); }); break;
      case Accident::abort: happens([](gw::proxy::Worker& worker) { worker.abort(); }); break;
    }
  }

  /// A client on a new connection gets its answer.
  void ask() {
    world.faults.fail_at = 0;
    const auto client = world.client(play_.fragment, play_.fragment);
    client->receive("GET /ask HTTP/1.1\r\nHost: a\r\n\r\n");
    client->receive_end();
    world.run_in_no_time();
    const std::vector<Message> got = read_responses(client->written());
    REQUIRE(!got.empty());
    CHECK(got.back().status == 200);
    CHECK(got.back().body == "asked");
  }

  /// That everything is where it belongs.
  void check_stores() {
    CHECK(world.worker.free_sessions.in_use() == 0);
    CHECK(world.worker.free_calls.in_use() == 0);
    CHECK(world.worker.buffers.in_use() == 0);
    CHECK(world.worker.pool.total(world.endpoint) == world.worker.pool.idle(world.endpoint));
    const gw::proxy::UpstreamCounters& counters = world.shared.metrics.upstream("up")->of(world.worker.index);
    CHECK(counters.open.value() == static_cast<std::int64_t>(world.worker.pool.total(world.endpoint)));
    CHECK(counters.open.value() == counters.idle.value());
  }

  World world;

 private:
  static std::string response_to(const Script& script, const std::string& start) {
    for (std::size_t i = 0; i < script.to_upstream.size(); ++i)
      if (script.to_upstream[i].start == start) return script.upstream[i];
    return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nasked";
  }

  void happens(void (*what)(gw::proxy::Worker&)) {
    world.faults.kind = Faults::Kind::other;
    world.faults.happens = [&worker = world.worker, what] { asio::post(worker.io, [&worker, what] { what(worker); }); };
  }

  const Play& play_;
};

/// That the client got the beginning of what it should get, then at most one error of the gateway, and that what is incomplete looks so.
void check_client(const Script& script, const std::vector<Message>& got) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Message& m = got[i];
    if (i < script.to_client.size() && m.status == script.to_client[i].status) {
      const std::string& body = script.to_client[i].body;
      if (m.is_complete) CHECK(m.body == body);
      else CHECK(body.starts_with(m.body));
    } else {
      CHECK((m.status == 0 || m.status == 400 || m.status == 408 || (m.status >= 500 && m.status <= 504)));
    }
    if (!m.is_complete) CHECK(i + 1 == got.size());
  }
}

/// That the upstream got the beginnings of what it should get, and nothing twice that may not be repeated.
void check_upstream(const Script& script, const World& world) {
  for (const ExpectedRequest& expected : script.to_upstream) {
    int whole_ones = 0, all = 0;
    for (const auto& peer : world.accepted) {
      for (const Message& m : peer->requests) {
        if (m.start != expected.start) continue;
        ++all;
        whole_ones += m.is_complete;
        if (m.is_complete) CHECK(m.body == expected.body);
        else CHECK(expected.body.starts_with(m.body));
      }
    }
    const bool may_repeat = !expected.start.starts_with("POST");
    CHECK(all <= (may_repeat ? 2 : 1));
    CHECK(whole_ones <= all);
  }
}

/// Plays a script in which something happens at operation `n`, and checks what nobody may ever see. Whether there was such an operation.
bool play(const Play& p, std::size_t n) {
  Stage stage(p);
  stage.arm(n);
  const auto client = stage.world.client(p.fragment, p.fragment);
  const ScriptedClient part(p.script, *client);
  stage.world.run_in_no_time();
  const bool has_happened = stage.world.faults.operations >= n;

  const std::vector<Message> got = read_responses(client->written(), p.script.methods, client->was_reset());
  check_client(p.script, got);
  check_upstream(p.script, stage.world);
  CHECK(client->is_closed());
  // A tunnel that breaks at one end does not look finished at the other.
  UpstreamPeer& last = *stage.world.accepted.back();
  if (last.has_switched() && !got.empty() && got[0].status == 101) {
    if (last.transport().is_broken() && !client->is_broken()) CHECK(client->was_reset());
    if (client->is_broken() && !last.transport().is_broken()) CHECK(last.transport().was_reset());
  }
  if (n == 0 && p.meeting != Meeting::stale) {
    REQUIRE(got.size() == p.script.to_client.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i].body == p.script.to_client[i].body);
  }

  stage.world.pass(5s);  // connections at rest leave the pool
  if (!stage.world.worker.is_draining) stage.ask();
  stage.check_stores();
  return has_happened;
}

void play_all(Accident accident, std::initializer_list<Meeting> meetings, std::initializer_list<std::size_t> fragments) {
  for (const Script& script : proxy_scripts()) {
    CAPTURE(script.name);
    for (const Meeting meeting : meetings) {
      CAPTURE(static_cast<int>(meeting));
      for (const std::size_t fragment : fragments) {
        CAPTURE(fragment);
        const Play p{script, accident, meeting, fragment};
        for (std::size_t n = 0; n < 5000; ++n) {
          CAPTURE(n);
          if (!play(p, n)) break;
        }
      }
    }
  }
}

}  // namespace

// Whatever happens at whatever operation: nobody is told a lie, nothing is left behind, requests end once, and the next client is served.

TEST_CASE("faults: a connection breaks") {
  play_all(Accident::reset, {Meeting::reused}, {16, 60, whole});
  play_all(Accident::reset, {Meeting::fresh, Meeting::stale}, {60, whole});
}

TEST_CASE("faults: a connection ends") {
  play_all(Accident::end, {Meeting::reused}, {16, 60, whole});
  play_all(Accident::end, {Meeting::fresh, Meeting::stale}, {60, whole});
}

TEST_CASE("faults: a peer falls silent") { play_all(Accident::silence, {Meeting::reused, Meeting::fresh, Meeting::stale}, {60, whole}); }

TEST_CASE("faults: the gateway drains") { play_all(Accident::drain, {Meeting::reused, Meeting::fresh}, {60, whole}); }

TEST_CASE("faults: the gateway stops") { play_all(Accident::abort, {Meeting::reused, Meeting::fresh}, {60, whole}); }
