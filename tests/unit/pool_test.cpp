#include <doctest/doctest.h>

#include <gw/pool.hpp>

#include <memory>
#include <string>
#include <vector>

namespace {

using Connection = std::shared_ptr<int>;
using Pool = gw::Pool<std::string, Connection>;
constexpr Pool::Caps roomy{8, 8};

/// A new connection to `key`, leased.
Connection opened(Pool& pool, const std::string& key, int number) {
  REQUIRE(pool.open(key, roomy));
  return std::make_shared<int>(number);
}

}  // namespace

TEST_CASE("pool: the connection that was given last is taken first") {
  Pool pool;
  CHECK_FALSE(pool.take("a"));
  std::vector<Connection> all;
  for (int i = 0; i < 3; ++i) all.push_back(opened(pool, "a", i));
  for (const Connection& c : all) CHECK(pool.give("a", c, roomy));
  CHECK(pool.idle("a") == 3);
  CHECK(pool.total("a") == 3);
  for (int expected : {2, 1, 0}) CHECK(**pool.take("a") == expected);
  CHECK_FALSE(pool.take("a"));
  CHECK(pool.total("a") == 3);
}

TEST_CASE("pool: identities are apart") {
  Pool pool;
  CHECK(pool.give("a", opened(pool, "a", 1), roomy));
  CHECK_FALSE(pool.take("b"));
  CHECK(pool.total("b") == 0);
  CHECK(pool.idle("a") == 1);
}

TEST_CASE("pool: no more connections are opened than the cap allows, free and leased ones together") {
  Pool pool;
  const Pool::Caps caps{2, 3};
  for (int i = 0; i < 3; ++i) CHECK(pool.open("a", caps));
  CHECK_FALSE(pool.open("a", caps));
  CHECK(pool.open("b", caps));
  // A free one still counts; a closed one does not.
  CHECK(pool.give("a", std::make_shared<int>(1), caps));
  CHECK_FALSE(pool.open("a", caps));
  pool.drop("a");
  CHECK(pool.open("a", caps));
  CHECK_FALSE(pool.open("a", Pool::Caps{0, 0}));
  CHECK_FALSE(pool.open("c", Pool::Caps{0, 0}));
}

TEST_CASE("pool: a connection above the idle cap is refused and does not count any more") {
  Pool pool;
  const Pool::Caps caps{1, 3};
  for (int i = 0; i < 3; ++i) CHECK(pool.open("a", caps));
  CHECK(pool.give("a", std::make_shared<int>(1), caps));
  CHECK_FALSE(pool.give("a", std::make_shared<int>(2), caps));
  CHECK(pool.idle("a") == 1);
  CHECK(pool.total("a") == 2);
  pool.drop("a");
  CHECK(pool.total("a") == 1);
  // With a cap of no free ones nothing is kept at all.
  const Connection c = *pool.take("a");
  CHECK_FALSE(pool.give("a", c, Pool::Caps{0, 3}));
  CHECK(pool.total("a") == 0);
}

TEST_CASE("pool: a free connection can be removed, a leased one cannot") {
  Pool pool;
  const Connection first = opened(pool, "a", 1), second = opened(pool, "a", 2), leased = opened(pool, "a", 3);
  CHECK(pool.give("a", first, roomy));
  CHECK(pool.give("a", second, roomy));
  CHECK_FALSE(pool.remove("a", leased));
  CHECK_FALSE(pool.remove("b", first));
  CHECK(pool.remove("a", first));
  CHECK_FALSE(pool.remove("a", first));
  CHECK(pool.idle("a") == 1);
  CHECK(pool.total("a") == 2);
  CHECK(*pool.take("a") == second);
}

TEST_CASE("pool: clear_idle hands out every free connection once, and leased ones can still come back") {
  Pool pool;
  std::vector<int> closed;
  const Connection leased = opened(pool, "a", 7);
  CHECK(pool.give("a", opened(pool, "a", 1), roomy));
  CHECK(pool.give("a", opened(pool, "a", 2), roomy));
  CHECK(pool.give("b", opened(pool, "b", 3), roomy));
  pool.clear_idle([&](const Connection& c) { closed.push_back(*c); });
  CHECK(closed.size() == 3);
  CHECK(pool.idle("a") == 0);
  CHECK(pool.total("a") == 1);
  CHECK(pool.total("b") == 0);
  CHECK(pool.give("a", leased, roomy));
  CHECK(pool.idle("a") == 1);
}

TEST_CASE("pool: identities are kept apart, whichever was asked for last") {
  Pool pool;
  for (int round = 0; round < 2; ++round) {
    const Connection a = opened(pool, "a", 1), b = opened(pool, "b", 2);
    CHECK(pool.give("b", b, roomy));
    CHECK_FALSE(pool.take("a"));
    CHECK(pool.give("a", a, roomy));
    CHECK_FALSE(pool.take("c"));
    CHECK(*pool.take("b") == b);
    CHECK(*pool.take("a") == a);
    pool.drop("a");  // the last one of it
    CHECK_FALSE(pool.take("a"));
    CHECK(pool.total("b") == 1);
    pool.drop("b");
    CHECK(pool.total("b") == 0);
  }
}

TEST_CASE("pool: nothing is left of an identity without connections") {
  Pool pool;
  std::weak_ptr<int> watched;
  {
    const Connection c = opened(pool, "a", 1);
    watched = c;
    CHECK(pool.give("a", c, roomy));
  }
  CHECK_FALSE(watched.expired());
  pool.clear_idle([](const Connection&) {});
  CHECK(watched.expired());
  CHECK(pool.total("a") == 0);
}
