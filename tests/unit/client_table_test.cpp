#include <doctest/doctest.h>

#include "proxy/client_table.hpp"

#include <atomic>
#include <string_view>
#include <thread>
#include <vector>

using gw::IpAddress;
using gw::proxy::ClientTable;

namespace {

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("clients: an address has as many connections as the limit says, whatever others have") {
  ClientTable table;
  ClientTable::Slot first = table.enter(address("10.0.0.1"), 2), second = table.enter(address("10.0.0.1"), 2);
  CHECK(first);
  CHECK(second);
  CHECK(!table.enter(address("10.0.0.1"), 2));
  CHECK(table.enter(address("10.0.0.2"), 2));
  second = {};
  CHECK(table.enter(address("10.0.0.1"), 2));
}

TEST_CASE("clients: which addresses are one client") {
  const struct {
    const char *one, *other;
    bool is_same;
  } cases[] = {
      {"10.0.0.1", "10.0.0.1", true},
      {"10.0.0.1", "10.0.0.2", false},
      {"10.0.0.1", "::ffff:10.0.0.1", true},
      {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
      {"2001:db8::1", "2001:db8:0:1::1", false},
      {"::1", "::2", true},
      {"::1", "10.0.0.1", false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.one);
    CAPTURE(c.other);
    ClientTable table;
    const ClientTable::Slot slot = table.enter(address(c.one), 1);
    CHECK(slot);
    CHECK(static_cast<bool>(table.enter(address(c.other), 1)) == !c.is_same);
  }
}

TEST_CASE("clients: connections count while there is no limit, for the time when there is one") {
  ClientTable table;
  const ClientTable::Slot first = table.enter(address("10.0.0.1"), 0), second = table.enter(address("10.0.0.1"), 0);
  CHECK(second);
  CHECK(!table.enter(address("10.0.0.1"), 2));
}

TEST_CASE("clients: an address without connections takes no memory, one that is refused neither") {
  ClientTable table;
  {
    std::vector<ClientTable::Slot> slots;
    for (std::uint32_t i = 0; i < 1000; ++i) slots.push_back(table.enter(IpAddress::v4(i), 1));
    CHECK(table.size() == 1000);
    ClientTable::Slot moved = std::move(slots[0]);
    CHECK(!table.enter(IpAddress::v4(0), 1));
  }
  CHECK(table.size() == 0);
}

TEST_CASE("clients: workers that accept at the same time never pass the limit") {
  ClientTable table;
  std::atomic<int> open{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const ClientTable::Slot slot = table.enter(address("10.0.0.1"), 3);
        const ClientTable::Slot other = table.enter(IpAddress::v4(static_cast<std::uint32_t>(i)), 3);
        if (!slot) continue;
        const int now = ++open;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
        --open;
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(most >= 1);
  CHECK(most <= 3);
  CHECK(table.size() == 0);
}
