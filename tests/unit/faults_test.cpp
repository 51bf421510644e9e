#include <doctest/doctest.h>

#include "support/proxy_scripts.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace gw_test;

namespace {

/// Plays a script in which operation `fail_at` breaks, and checks what nobody may ever see. Returns
/// whether there was such an operation.
bool play(const Script& script, Faults::Kind kind, std::size_t fail_at, std::size_t fragment) {
  World world(add_script_routes);
  world.faults.kind = kind;
  world.faults.fail_at = fail_at;
  const auto upstream = world.upstream(fragment, fragment);
  upstream->responses = script.upstream;
  upstream->when = script.when;
  upstream->ends = script.upstream_ends;
  const auto client = world.client(fragment, fragment);
  client->receive(script.client);
  client->receive_end();
  world.run();

  // What the client got is the beginning of what it should get, then at most one error of the gateway,
  // and what is incomplete looks incomplete.
  const std::vector<Message> got = read_responses(client->written(), script.methods, client->was_reset());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool is_expected = i < script.to_client.size() && got[i].status == script.to_client[i].status;
    if (is_expected) {
      const std::string& body = script.to_client[i].body;
      if (got[i].is_complete) CHECK(got[i].body == body);
      else CHECK(body.starts_with(got[i].body));
    } else {
      const int status = got[i].status;
      CHECK((status == 0 || status == 400 || (status >= 500 && status <= 504)));
    }
    if (!got[i].is_complete) CHECK(i + 1 == got.size());
  }
  CHECK(client->is_closed());

  // What the upstream got is the beginning of what it should get.
  CHECK(upstream->requests.size() <= script.to_upstream.size());
  for (std::size_t i = 0; i < std::min(upstream->requests.size(), script.to_upstream.size()); ++i) {
    const Message& m = upstream->requests[i];
    CHECK(m.start == script.to_upstream[i].start);
    if (m.is_complete) CHECK(m.body == script.to_upstream[i].body);
    else CHECK(script.to_upstream[i].body.starts_with(m.body));
  }

  // Everything is where it belongs.
  CHECK(world.worker.free_sessions.size() <= 1);
  CHECK(world.worker.pool.total(world.endpoint) == world.worker.pool.idle(world.endpoint));
  return world.faults.operations >= fail_at;
}

}  // namespace

TEST_CASE("faults: whatever operation breaks, nobody is told a lie, nothing is left behind, and requests end once") {
  for (const Script& script : proxy_scripts()) {
    CAPTURE(script.name);
    for (const Faults::Kind kind : {Faults::Kind::reset, Faults::Kind::end}) {
      CAPTURE(static_cast<int>(kind));
      for (const std::size_t fragment : {std::size_t{16}, std::size_t{60}, MemoryTransport::whole}) {
        CAPTURE(fragment);
        for (std::size_t n = 1; n < 5000; ++n) {
          CAPTURE(n);
          if (!play(script, kind, n, fragment)) break;
        }
      }
    }
  }
}
