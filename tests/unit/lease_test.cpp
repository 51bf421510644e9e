// Connections to upstreams that take their time: the other family of addresses gets a chance (RFC 8305).
#include <doctest/doctest.h>

#include "proxy/lease.hpp"
#include "proxy/snapshot.hpp"
#include "support/memory_world.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>

using gw_test::Faults;
using gw_test::MemoryTransport;
using gw_test::World;
using gw::proxy::Lease;
using gw::proxy::Member;
using namespace std::chrono_literals;

namespace {

/// What becomes of a connection: it is made after some time, refused after some time, or neither.
struct Fate {
  std::optional<gw::Duration> made{};
  std::optional<gw::Duration> refused{};
};

/// Two addresses of "users.test" and what becomes of connections to them.
class TwoFamilies {
 public:
  TwoFamilies(Fate v6, Fate v4) {
    world_.hold_time();
    world_.worker.connect = [this, v6, v4](const gw::proxy::Endpoint::Address& address, std::error_code& ec) -> std::shared_ptr<gw::Transport> {
      const bool is_v6 = gw_test::tcp_of(address).address().is_v6();
      const Fate& fate = is_v6 ? v6 : v4;
      begun += is_v6 ? "6" : "4";
      if (fate.refused == 0ms) return ec = asio::error::connection_refused, nullptr;
      auto transport = std::make_shared<MemoryTransport>(world_.worker.io, world_.worker.wheel, is_v6 ? faults6_ : faults4_, MemoryTransport::whole, 0);
      auto due = std::make_unique<Due>(transport, fate);
      if (fate.made || fate.refused) world_.worker.wheel.arm(due->deadline, fate.made.value_or(fate.refused.value_or(0ms)));
      due_.push_back(std::move(due));
      return transport;
    };
  }

  /// "6" or "4": to whom the connection is; else the error.
  std::string connect(bool has_second = true) {
    std::string outcome;
    asio::co_spawn(
        world_.worker.io,
        [&]() -> gw::Task<> {
          Member* second = has_second ? four.get() : nullptr;
          Lease::Connecting connecting;
          if (abandon_after) world_.worker.wheel.arm(connecting.end, *abandon_after);
          gw::Result<Lease> lease = co_await Lease::connect(world_.worker, *six, second, upstream(), 2s, connecting);
          is_second_tried = second != nullptr;
          if (!lease) outcome = lease.error().code.message();
          else outcome = &lease->endpoint() == six->endpoint.get() ? "6" : "4";
        },
        asio::detached);
    world_.settle();
    for (gw::Duration passed{0}; passed < 3s && outcome.empty(); passed += 32ms) {
      world_.pass(32ms);
      took = passed;
    }
    return outcome;
  }
  const gw::proxy::UpstreamState& upstream() { return *(*world_.worker.snapshot)->upstreams.find("up")->second; }
  /// Takes all connections that the second address may have.
  void fill_four() {
    const gw::UpstreamOptions& options = upstream().options;
    while (world_.worker.pool.open(four->endpoint, {options.idle_connections, options.connections})) continue;
  }
  std::size_t open_connections() { return world_.worker.pool.total(six->endpoint) + world_.worker.pool.total(four->endpoint); }

  std::string begun;
  gw::Duration took{0};
  bool is_second_tried = false;
  std::optional<gw::Duration> abandon_after{};

 private:
  struct Due {
    Due(std::shared_ptr<MemoryTransport> t, Fate f) : transport(std::move(t)), fate(f), deadline(&Due::come, this) {}
    static void come(void* self) {
      auto& due = *static_cast<Due*>(self);
      if (due.fate.refused) due.transport->receive_reset();
      else due.transport->start_taking();
    }
    std::shared_ptr<MemoryTransport> transport;
    Fate fate;
    gw::net::Wheel::Deadline deadline;
  };

  World world_;
  Faults faults6_, faults4_;
  std::vector<std::unique_ptr<Due>> due_;

 public:
  const gw::detail::EndpointAddress name{gw::detail::EndpointAddress::Kind::host, "users.test", 8080};
  const gw::net::Target target6{asio::ip::make_address("2001:db8::1")}, target4{asio::ip::make_address("192.0.2.1")};
  std::shared_ptr<Member> six = std::make_shared<Member>(world_.shared.endpoints.find(name, &target6));
  std::shared_ptr<Member> four = std::make_shared<Member>(world_.shared.endpoints.find(name, &target4));
};

}  // namespace

TEST_CASE("lease: a connection that takes its time is raced by one to the other family of addresses") {
  const std::string refused = make_error_code(gw::Error::connect_failed).message(), timeout = make_error_code(gw::Error::connect_timeout).message();
  const Fate never;
  const auto made = [](gw::Duration after) { return Fate{.made = after}; };
  const auto refuses = [](gw::Duration after) { return Fate{.refused = after}; };
  const struct {
    const char* what;
    Fate v6, v4;
    bool has_second;
    std::string begun, outcome;
    bool is_six_told, is_four_told;  // as failed
    gw::Duration at_least, at_most;
  } cases[] = {
      {"at once", made(0ms), made(0ms), true, "6", "6", false, false, 0ms, 64ms},
      {"soon", made(150ms), made(0ms), true, "6", "6", false, false, 120ms, 249ms},
      {"never", never, made(0ms), true, "64", "4", true, false, 218ms, 384ms},
      {"late, and the other one, too", made(400ms), made(600ms), true, "64", "6", false, false, 368ms, 480ms},
      {"late, and the other one never", made(400ms), never, true, "64", "6", false, false, 368ms, 480ms},
      {"late, and the other one is refused", made(400ms), refuses(0ms), true, "64", "6", false, true, 368ms, 480ms},
      {"refused at once", refuses(0ms), made(0ms), true, "6", refused, false, false, 0ms, 32ms},
      {"refused while the other one is under way", refuses(300ms), made(400ms), true, "64", "4", true, false, 600ms, 750ms},
      {"refused, then the other one", refuses(300ms), refuses(400ms), true, "64", refused, false, true, 600ms, 750ms},
      {"never, nor the other one", never, never, true, "64", timeout, false, true, 1'900ms, 2'400ms},
      {"never, and there is no other", never, made(0ms), false, "6", timeout, false, false, 1'900ms, 2'100ms},
      {"late, and there is no other", made(400ms), made(0ms), false, "6", "6", false, false, 368ms, 480ms},
  };
  for (const auto& c : cases) {
    CAPTURE(std::string(c.what));
    TwoFamilies world(c.v6, c.v4);
    CHECK(world.connect(c.has_second) == c.outcome);
    CHECK(world.begun == c.begun);
    CHECK(world.is_second_tried == (c.begun == "64"));
    CHECK(world.six->has_history == c.is_six_told);
    CHECK(world.four->has_history == c.is_four_told);
    CHECK(world.took >= c.at_least);
    CHECK(world.took <= c.at_most);
    CHECK(world.open_connections() == 0);
  }
}

TEST_CASE("lease: a connection that nobody wants any more is not waited for") {
  for (const gw::Duration after : {100ms, 500ms}) {  // before and in the race
    TwoFamilies world({}, {});
    world.abandon_after = after;
    CHECK(world.connect() != "");
    CHECK(world.took >= after - 32ms);
    CHECK(world.took <= after + 96ms);
    CHECK(!world.six->has_history);
    CHECK(!world.four->has_history);
    CHECK(world.open_connections() == 0);
  }
}

TEST_CASE("lease: an endpoint without room for a connection is not to blame") {
  TwoFamilies world({.made = 400ms}, {.made = 0ms});
  world.fill_four();
  CHECK(world.connect() == "6");
  CHECK(!world.four->has_history);
}
