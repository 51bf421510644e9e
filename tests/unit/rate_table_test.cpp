#include <doctest/doctest.h>

#include "middleware/rate_table.hpp"

#include <random>
#include <string>
#include <thread>
#include <vector>

using gw::detail::Fingerprint, gw::detail::KeyKind, gw::detail::Rate, gw::detail::RateTable, gw::detail::SipKey, gw::detail::Verdict;

namespace {

constexpr std::uint64_t second = 1'000'000'000;
__extension__ using Wide = unsigned __int128;

/// A bucket in exact arithmetic: what is owed, in parts of a nanosecond of which there are `rate`.
struct Bucket {
  Rate rate;
  Wide owed = 0;
  std::uint64_t last = 0;

  bool take(std::uint64_t now) {
    const Wide earned = Wide{now - last} * rate.rate;
    owed = owed > earned ? owed - earned : 0;
    last = now;
    if (owed + rate.per > Wide{rate.per} * rate.burst) return false;
    owed += rate.per;
    return true;
  }
  std::uint64_t remaining() const { return static_cast<std::uint64_t>((Wide{rate.per} * rate.burst - owed) / rate.per); }
};

/// Every request that is granted of one key that asks at each of `times`.
std::vector<std::uint64_t> granted(const Rate& rate, const std::vector<std::uint64_t>& times) {
  RateTable table(1);
  std::vector<std::uint64_t> all;
  for (const std::uint64_t t : times)
    if (table.take({1, 1}, t, rate).is_granted) all.push_back(t);
  return all;
}

}  // namespace

TEST_CASE("rate_table: fingerprints are SipHash-2-4 with 128 bits") {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const struct {
    std::size_t size;
    Fingerprint expected;
  } cases[] = {
      {0, {0xe6a825ba047f81a3, 0x930255c71472f66d}}, {1, {0x44af996bd8c187da, 0x45fc229b11597634}},
      {7, {0x53c1dbd8beebf1a1, 0x3982f01fa64ab8c0}}, {8, {0x61f55862baa9623b, 0xb49714f364e2830f}},
      {15, {0x11a8b03399e99354, 0xd9c3cf970fec087e}}, {16, {0xbb54b067caa4e26e, 0x77052385bf1533fd}},
      {33, {0x321cf0467107c677, 0xcfffa94e5f9db6b6}},
  };
  std::string text;
  for (char c = 0; c < 33; ++c) text += c;
  for (const auto& c : cases) {
    CAPTURE(c.size);
    CHECK(gw::detail::siphash(key, text.substr(0, c.size)) == c.expected);
  }
  // No two tables agree, and no two kinds of key.
  const RateTable one(1), other(1);
  CHECK(one.fingerprint(KeyKind::client, "a") == one.fingerprint(KeyKind::client, "a"));
  CHECK_FALSE(one.fingerprint(KeyKind::client, "a") == other.fingerprint(KeyKind::client, "a"));
  CHECK_FALSE(one.fingerprint(KeyKind::client, "a") == one.fingerprint(KeyKind::header, "a"));
  CHECK_FALSE(one.fingerprint(KeyKind::consumer, "a") == one.fingerprint(KeyKind::header, "a"));
}

TEST_CASE("rate_table: requests are granted to the nanosecond") {
  using Times = std::vector<std::uint64_t>;
  CHECK(granted({1, second, 1}, {0, 1, second - 1, second, second + 1, 2 * second}) == Times{0, second, 2 * second});
  // Thirds add up to a whole.
  CHECK(granted({3, second, 2}, {0, 0, 0, 333'333'333, 333'333'334, 666'666'666, 666'666'667, second - 1, second}) ==
        Times{0, 0, 333'333'334, 666'666'667, second});
  CHECK(granted({1, second, 3}, {5, 5, 5, 5, second + 4, second + 5, second + 6}) == Times{5, 5, 5, second + 5});
  CHECK(granted({1, second, 2}, {0, 0, 10 * second, 10 * second, 10 * second}) == Times{0, 0, 10 * second, 10 * second});
  // A clock that begins late, and one whose readings of two threads cross.
  CHECK(granted({1, second, 1}, {~std::uint64_t{0} / 4, ~std::uint64_t{0} / 4 + second - 1}) == Times{~std::uint64_t{0} / 4});
  CHECK(granted({1, second, 2}, {100, 90, second + 100, second + 90}) == Times{100, second + 100});
}

TEST_CASE("rate_table: any rate agrees with a bucket in exact arithmetic, in everything it says") {
  std::mt19937_64 random(11);
  const Rate rates[] = {{1, second, 1},      {100, second, 100},      {3, second, 7},          {7, second, 1},
                        {999'983, second, 10}, {1'000'000'000, second, 1000}, {1'000'000, 86'400 * second, 50'000}, {13, 1, 5},
                        {1, 8760ull * 3600 * second, 100}};
  for (const Rate& given : rates) {
    const Rate rate = given.reduced();
    CAPTURE(given.rate);
    CAPTURE(given.per);
    REQUIRE(rate.is_exact());
    RateTable table(1);
    Bucket bucket{rate};
    // About ten times the rate, with pauses.
    const std::uint64_t step = std::max<std::uint64_t>(given.per / given.rate / 5, 2);
    std::uint64_t now = second, begin = now, count = 0;
    for (int i = 0; i < 5000 && now < std::uint64_t{1} << 61; ++i) {
      const Verdict v = table.take({1, 1}, now, rate);
      REQUIRE(v.is_granted == bucket.take(now));
      REQUIRE(v.remaining == bucket.remaining());
      // Full again at `reset` and not before; one more at `retry` and not before.
      REQUIRE(v.reset == (bucket.owed + rate.rate - 1) / rate.rate);
      REQUIRE((v.retry == 0) == v.is_granted);
      if (!v.is_granted) {
        Bucket sooner = bucket, then = bucket;
        if (v.retry > 1) REQUIRE_FALSE(sooner.take(now + v.retry - 1));
        REQUIRE(then.take(now + v.retry));
      }
      count += v.is_granted;
      now += random() % step;
      if (i % 1000 == 999) now += given.per * 2;
    }
    CHECK(count <= rate.burst * 6 + static_cast<std::uint64_t>(Wide{now - begin} * rate.rate / rate.per));
  }
  CHECK_FALSE(Rate{999'983, 86'400 * second, 999'983}.reduced().is_exact());
  CHECK(Rate{100, second, 7}.reduced().per == second / 100);
}

TEST_CASE("rate_table: a million keys take the memory of those that fit") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{10'000}}) {
    CAPTURE(size);
    RateTable table(size);
    const Rate rate{1, 3600 * second, 10};
    const std::size_t keys = size == 10'000 ? 1'000'000 : 20'000;
    for (std::size_t i = 0; i < keys; ++i) {
      const std::string text = std::to_string(i);
      REQUIRE(table.take(table.fingerprint(KeyKind::header, text), second + i, rate).is_granted);
    }
    CHECK(table.capacity() <= size);
    CHECK(table.size() <= table.capacity());
    CHECK(table.size() >= table.capacity() * 9 / 10);
    CHECK(table.memory() <= 100 * size + 8192);
  }
}

TEST_CASE("rate_table: an idle key makes room first, and one that is refused is the last to go") {
  RateTable table(8);
  const Rate slow{1, second, 100}, fast{1, 1000, 1};
  for (int i = 0; i < 100; ++i) REQUIRE(table.take({7, 7}, second, slow).is_granted);
  for (std::uint64_t i = 0; i < 100'000; ++i) REQUIRE(table.take({1000 + i, i}, second + i, fast).is_granted);
  CHECK(table.size() == 8);
  CHECK_FALSE(table.take({7, 7}, second + 100'000, slow).is_granted);
  // Idle keys are dropped before a table grows.
  RateTable idle(10'000);
  for (std::uint64_t i = 0; i < 5000; ++i) REQUIRE(idle.take({i, i << 32}, second + i * 1'000'000, fast).is_granted);
  CHECK(idle.size() < 1000);
  CHECK(idle.memory() < 60'000);
}

TEST_CASE("rate_table: keys in one place of the table are told apart") {
  RateTable table(200);
  const Rate rate{1, second, 2};
  // Fingerprints that all belong to the same place, so that every search walks.
  for (int round = 0; round < 3; ++round)
    for (std::uint64_t i = 0; i < 100; ++i) CHECK(table.take({i << 32, 5}, second, rate).is_granted == (round < 2));
  CHECK(table.size() == 100);
  for (std::uint64_t i = 0; i < 300; ++i) CHECK(table.take({(1000 + i) << 32, 5}, 10 * second, rate).is_granted);
  CHECK(table.size() <= 200);
  // A key without bits is one like any other.
  CHECK(table.take({0, 0}, 20 * second, {1, second, 1}).is_granted);
  CHECK_FALSE(table.take({0, 0}, 20 * second, {1, second, 1}).is_granted);
}

TEST_CASE("rate_table: another rate makes of a time what it could have given itself") {
  RateTable table(10);
  const Rate daily{1, 86'400 * second, 10}, quick{10, second, 5};
  for (int i = 0; i < 10; ++i) REQUIRE(table.take({1, 1}, second, daily).is_granted);
  // Ten days ahead, but under the new rate nobody waits longer than its burst takes.
  const Verdict v = table.take({1, 1}, second, quick.reduced());
  CHECK_FALSE(v.is_granted);
  CHECK(v.retry == second / 10);
  CHECK(v.reset == second / 2);
}

TEST_CASE("rate_table: threads share a key exactly") {
  RateTable table(1000);
  const Rate rate{1, second, 10'000};
  std::vector<std::uint64_t> granted_by(4);
  std::vector<std::thread> threads;
  for (std::uint64_t& mine : granted_by) {
    threads.emplace_back([&table, &rate, &mine] {
      for (std::uint64_t i = 0; i < 5000; ++i) {
        mine += table.take({1, 1}, second, rate).is_granted;
        [[maybe_unused]] const Verdict other = table.take({2 + i % 2000, i}, second, rate);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(granted_by[0] + granted_by[1] + granted_by[2] + granted_by[3] == 10'000);
}
