#include <doctest/doctest.h>

#include <gw/balancer.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using gw::Balance, gw::Balancer, gw::Candidate, gw::Random;

namespace {

constexpr Balance all_kinds[] = {Balance::p2c, Balance::round_robin, Balance::least_requests, Balance::random, Balance::maglev};
constexpr unsigned largest = std::numeric_limits<unsigned>::max();

unsigned no_load(std::size_t) { return 0; }

/// Endpoints 10.0.0.1:8080, 10.0.0.2:8080 ... with these weights; lives as long as the candidates are needed.
class Endpoints {
 public:
  explicit Endpoints(std::vector<unsigned> weights) : weights_(std::move(weights)) {
    for (std::size_t i = 0; i < weights_.size(); ++i)
      keys_.push_back("10.0." + std::to_string((i + 1) / 256) + '.' + std::to_string((i + 1) % 256) + ":8080");
  }

  std::vector<Candidate> candidates() const {
    std::vector<Candidate> result;
    for (std::size_t i = 0; i < weights_.size(); ++i) result.push_back({keys_[i], weights_[i]});
    return result;
  }
  std::size_t size() const { return weights_.size(); }
  unsigned weight(std::size_t i) const { return weights_[i]; }
  double share(std::size_t i) const { return weights_[i] / std::accumulate(weights_.begin(), weights_.end(), 0.0); }

 private:
  std::vector<unsigned> weights_;
  std::vector<std::string> keys_;
};

Balancer balancer_of(Balance kind, const Endpoints& endpoints, std::uint64_t turn = 0) {
  return Balancer(kind, endpoints.candidates(), turn);
}

/// How often each of `endpoints` is picked in `picks` requests that all have a key of their own and find everybody idle.
std::vector<std::size_t> picks_of(const Balancer& balancer, std::size_t endpoints, std::size_t picks, bool has_hash = true) {
  Random random(42);
  std::vector<std::size_t> count(endpoints, 0);
  for (std::size_t i = 0; i < picks; ++i) {
    const auto hash = has_hash ? std::optional(gw::hash_of("client " + std::to_string(i))) : std::nullopt;
    ++count.at(balancer.pick(random, hash, no_load));
  }
  return count;
}

/// The first `n` endpoints that are picked, as letters.
std::string letters(const Balancer& balancer, std::size_t n) {
  Random random(1);
  std::string result;
  while (result.size() < n) result += static_cast<char>('a' + balancer.pick(random, std::nullopt, no_load));
  return result;
}

const std::vector<unsigned> weight_cases[] = {
    {1},
    {1, 1},
    {1, 1, 1},
    {5, 1, 1},
    {1, 2, 3, 4},
    {0, 1},
    {3, 0, 1, 0},
    {2, 0, 2, 0, 2},
    {100, 100, 50},
    {7, 0, 0},
    {1, 99},
    {1'000'000, 1},
    {largest, largest},
    {largest, 1, largest / 2, 3},
    std::vector<unsigned>(100, 7),
};

}  // namespace

TEST_CASE("balancer: every kind has the name that configurations use") {
  CHECK(name_of(Balance::p2c) == "p2c");
  CHECK(name_of(Balance::round_robin) == "round_robin");
  CHECK(name_of(Balance::least_requests) == "least_requests");
  CHECK(name_of(Balance::random) == "random");
  CHECK(name_of(Balance::maglev) == "maglev");
  CHECK(gw::balance_names.size() == std::size(all_kinds));
}

TEST_CASE("balancer: idle endpoints get the shares of their weights within 2 %, whatever the kind, and without weight nothing") {
  constexpr std::size_t picks = 100'000;
  for (const Balance kind : all_kinds) {
    for (const auto& weights : weight_cases) {
      for (const bool has_hash : {true, false}) {
        const Endpoints endpoints(weights);
        const auto count = picks_of(balancer_of(kind, endpoints), endpoints.size(), picks, has_hash);
        for (std::size_t i = 0; i < endpoints.size(); ++i) {
          CAPTURE(name_of(kind));
          CAPTURE(weights.size());
          CAPTURE(i);
          CHECK(std::abs(static_cast<double>(count[i]) / picks - endpoints.share(i)) < 0.02);
          if (weights[i] == 0) CHECK(count[i] == 0);
        }
      }
    }
  }
}

TEST_CASE("balancer: of a thousand endpoints with unequal weights each gets its share within a fifth of it") {
  std::vector<unsigned> weights;
  for (unsigned i = 0; i < 1000; ++i) weights.push_back(50 + i % 100);
  const Endpoints endpoints(weights);
  constexpr std::size_t picks = 1'000'000;
  for (const Balance kind : {Balance::p2c, Balance::round_robin, Balance::random, Balance::maglev}) {
    const auto count = picks_of(balancer_of(kind, endpoints), endpoints.size(), picks);
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      CAPTURE(name_of(kind));
      const double expected = endpoints.share(i) * picks;
      CHECK(std::abs(static_cast<double>(count[i]) - expected) < 0.2 * expected);
    }
  }
}

TEST_CASE("balancer: without an endpoint that has weight there is nothing to pick") {
  struct Case {
    std::vector<unsigned> weights;
    bool is_empty;
  };
  const Case cases[] = {{{}, true}, {{0}, true}, {{0, 0}, true}, {{0, 1}, false}, {{largest}, false}};
  for (const Balance kind : all_kinds)
    for (const Case& c : cases) CHECK(balancer_of(kind, Endpoints(c.weights)).empty() == c.is_empty);
}

TEST_CASE("balancer: the same seed gives the same picks") {
  const Endpoints endpoints({1, 2, 3, 4, 5});
  for (const Balance kind : all_kinds) CHECK(letters(balancer_of(kind, endpoints), 100) == letters(balancer_of(kind, endpoints), 100));
}

TEST_CASE("round robin: every endpoint gets exactly its share") {
  const std::vector<unsigned> cases[] = {
      {1}, {1, 1}, {5, 1, 1}, {1, 2, 3, 4}, {0, 1}, {3, 0, 1, 0}, {100, 100, 50}, {7, 0, 0}, {1, 99}, {1, 65'535},
  };
  for (const auto& weights : cases) {
    const Endpoints endpoints(weights);
    const auto sum = std::accumulate(weights.begin(), weights.end(), std::size_t{0});
    const auto count = picks_of(balancer_of(Balance::round_robin, endpoints), weights.size(), 2 * sum);
    for (std::size_t i = 0; i < weights.size(); ++i) CHECK(count[i] == 2 * weights[i]);
  }
}

TEST_CASE("round robin: a heavy endpoint does not come in a row while others wait") {
  struct Case {
    std::vector<unsigned> weights;
    std::string turns;
  };
  const Case cases[] = {
      {{1, 1, 1}, "abcabc"}, {{5, 1, 1}, "aabacaaaabacaa"}, {{2, 2}, "abab"},        {{3, 0, 1}, "aacaaaca"},
      {{200, 100}, "abaaba"}, {{1, 2, 1}, "bacbbacb"},      {{1, 3, 3}, "bcabcbc"}, {{1'000'000, 500'000}, "abaaba"},
  };
  for (const Case& c : cases) CHECK(letters(balancer_of(Balance::round_robin, Endpoints(c.weights)), c.turns.size()) == c.turns);
}

TEST_CASE("round robin: takes turns as smooth weighted round robin is defined") {
  const std::vector<unsigned> cases[] = {
      {1}, {4, 3, 2, 1}, {2, 2, 5, 2, 5, 1}, {13, 1, 7, 7, 0, 13, 1}, {25, 24, 23, 22}, {1, 1, 1, 1, 30},
  };
  for (const auto& weights : cases) {
    const int sum = static_cast<int>(std::accumulate(weights.begin(), weights.end(), 0u));
    std::vector<int> credit(weights.size(), 0);
    std::string expected;
    while (expected.size() < 2 * static_cast<std::size_t>(sum)) {
      for (std::size_t i = 0; i < weights.size(); ++i) credit[i] += static_cast<int>(weights[i]);
      const auto most = std::max_element(credit.begin(), credit.end());
      *most -= sum;
      expected += static_cast<char>('a' + (most - credit.begin()));
    }
    CHECK(letters(balancer_of(Balance::round_robin, Endpoints(weights)), expected.size()) == expected);
  }
}

TEST_CASE("round robin: stays within one request of the exact share at any moment") {
  const std::vector<unsigned> cases[] = {{1, 1, 1}, {5, 1, 1}, {1, 2, 3, 4}, {3, 0, 1, 0}, {1, 99}, {largest, 1, largest / 2, 3}};
  for (const auto& weights : cases) {
    const Endpoints endpoints(weights);
    const Balancer balancer = balancer_of(Balance::round_robin, endpoints);
    Random random(1);
    std::vector<double> count(weights.size(), 0);
    for (int n = 1; n <= 300; ++n) {
      ++count[balancer.pick(random, std::nullopt, no_load)];
      for (std::size_t i = 0; i < count.size(); ++i) CHECK(std::abs(count[i] - n * endpoints.share(i)) <= 1.0);
    }
  }
}

TEST_CASE("round robin: where weights are too large for a schedule they are scaled down, but none to nothing") {
  const Endpoints endpoints({largest, 1, largest - 1});
  const auto count = picks_of(balancer_of(Balance::round_robin, endpoints), endpoints.size(), gw::RoundRobin::longest + 3);
  CHECK(count[0] > 32'000);
  CHECK(count[1] > 0);
  CHECK(count[2] > 32'000);
}

TEST_CASE("round robin: goes on where the balancer before was") {
  const Endpoints before({1, 1, 1}), after({1, 1, 1, 1});
  const Balancer first = balancer_of(Balance::round_robin, before);
  CHECK(letters(first, 5) == "abcab");
  CHECK(first.turn() == 5);
  CHECK(letters(balancer_of(Balance::round_robin, before, first.turn()), 4) == "cabc");
  CHECK(letters(balancer_of(Balance::round_robin, after, first.turn()), 4) == "bcda");
  CHECK(balancer_of(Balance::p2c, before, 5).turn() == 0);
}

TEST_CASE("round robin: workers that share a balancer together keep the exact shares") {
  const Balancer balancer = balancer_of(Balance::round_robin, Endpoints({2, 1}));
  constexpr std::size_t threads = 4, picks = 30'000;
  std::vector<std::vector<std::size_t>> counts(threads);
  std::vector<std::thread> running;
  for (std::size_t t = 0; t < threads; ++t) running.emplace_back([&, t] { counts[t] = picks_of(balancer, 2, picks); });
  for (std::thread& t : running) t.join();
  std::size_t first = 0;
  for (const auto& count : counts) first += count[0];
  CHECK(first == threads * picks * 2 / 3);
}

TEST_CASE("balancer: the least load per weight is taken, by p2c of two and by least_requests of all") {
  struct Case {
    std::vector<unsigned> weights, loads;
    std::vector<std::size_t> taken;  ///< those that may be
  };
  const Case of_two[] = {
      {{1, 3}, {5, 0}, {1}},
      {{1, 3}, {0, 5}, {0}},
      {{1, 3}, {2, 5}, {1}},
      {{1, 3}, {1, 4}, {0}},
      {{1, 3}, {1, 3}, {0, 1}},
      {{1, 1}, {4, 4}, {0, 1}},
      {{0, 1}, {0, 9}, {1}},
      {{largest, 1}, {largest, 2}, {0}},
      {{largest, largest - 1}, {largest, largest}, {0}},
  };
  const Case of_many[] = {
      {{1, 1, 1}, {2, 1, 3}, {1}},
      {{1, 1, 1}, {3, 2, 1}, {2}},
      {{1, 1, 1, 1}, {1, 3, 1, 2}, {0, 2}},
      {{4, 2, 1}, {8, 5, 3}, {0}},
      {{4, 2, 1}, {9, 4, 3}, {1}},
      {{4, 2, 1}, {4, 2, 2}, {0, 1}},
      {{0, 2, 0, 1}, {0, 2, 0, 1}, {1, 3}},
  };
  const auto check = [](Balance kind, const Case& c) {
    const Endpoints endpoints(c.weights);
    const Balancer balancer = balancer_of(kind, endpoints);
    Random random(7);
    std::vector<bool> is_taken(c.weights.size(), false);
    for (int i = 0; i < 1000; ++i) is_taken[balancer.pick(random, std::nullopt, [&](std::size_t e) { return c.loads[e]; })] = true;
    for (std::size_t e = 0; e < is_taken.size(); ++e) CHECK(is_taken[e] == (std::count(c.taken.begin(), c.taken.end(), e) == 1));
  };
  for (const Case& c : of_two) check(Balance::p2c, c), check(Balance::least_requests, c);
  for (const Case& c : of_many) check(Balance::least_requests, c);
}

TEST_CASE("least requests: those that tie share by weight, also where busy ones stand between them") {
  struct Case {
    std::vector<unsigned> weights, loads;
    std::vector<double> shares;
  };
  const Case cases[] = {
      {{1, 1, 1, 1, 1, 1}, {0, 9, 9, 9, 0, 9}, {0.5, 0, 0, 0, 0.5, 0}},
      {{1, 1, 1, 1}, {1, 1, 0, 0}, {0, 0, 0.5, 0.5}},
      {{3, 1, 1, 1}, {6, 2, 9, 2}, {0.6, 0.2, 0, 0.2}},
  };
  for (const Case& c : cases) {
    const Balancer balancer = balancer_of(Balance::least_requests, Endpoints(c.weights));
    Random random(7);
    std::vector<double> share(c.weights.size(), 0);
    for (int i = 0; i < 100'000; ++i) share[balancer.pick(random, std::nullopt, [&](std::size_t e) { return c.loads[e]; })] += 1e-5;
    for (std::size_t e = 0; e < share.size(); ++e) CHECK(std::abs(share[e] - c.shares[e]) < 0.01);
  }
}

TEST_CASE("p2c: two different endpoints are asked for their load, as often as their weights say, and the most loaded is never taken") {
  const Endpoints endpoints({1, 2, 0, 1, 4});
  const Balancer balancer = balancer_of(Balance::p2c, endpoints);
  Random random(7);
  for (int i = 0; i < 10'000; ++i) {
    std::vector<std::size_t> asked;
    const std::size_t picked = balancer.pick(random, std::nullopt, [&](std::size_t e) { return asked.push_back(e), e == 4 ? 90u : 1u; });
    CHECK(asked.size() == 2);
    CHECK(asked[0] != asked[1]);
    CHECK(asked[0] != 2);
    CHECK(asked[1] != 2);
    CHECK(picked != 4);
  }
}

namespace {

/// The share of endpoint 0 of `n` if it is `speed` times as fast as the others: 300 clients in a closed loop, each of which begins its
/// next request when the one before has ended.
double share_of_fast(Balance kind, std::size_t n, double speed) {
  const Balancer balancer = balancer_of(kind, Endpoints(std::vector<unsigned>(n, 1)));
  Random random(11);
  std::vector<unsigned> running(n, 0);
  using End = std::pair<double, std::size_t>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  const auto begin = [&](double now) {
    const std::size_t picked = balancer.pick(random, std::nullopt, [&](std::size_t e) { return running[e]; });
    ++running[picked];
    // Half to one and a half times the mean, so that requests do not march in step.
    const double time = 0.5 + static_cast<double>(random.below(1000)) / 1000;
    ends.emplace(now + (picked == 0 ? time / speed : time), picked);
    return picked;
  };
  for (int client = 0; client < 300; ++client) begin(0);
  constexpr int settle = 10'000, counted = 100'000;
  int fast = 0;
  for (int i = 0; i < settle + counted; ++i) {
    const auto [now, endpoint] = ends.top();
    ends.pop();
    --running[endpoint];
    const bool is_fast = begin(now) == 0;
    fast += i >= settle && is_fast;
  }
  return static_cast<double>(fast) / counted;
}

}  // namespace

TEST_CASE("balancer: a faster endpoint gets more where load counts, until all have the same load") {
  // With the same load everywhere, rates are as speeds: speed / (speed + n - 1). But p2c draws an endpoint in 2 / n of the pairs only.
  struct Case {
    Balance kind;
    std::size_t n;
    double speed, share;
  };
  const Case cases[] = {
      {Balance::p2c, 2, 4, 4.0 / 5},
      {Balance::p2c, 3, 2, 2.0 / 4},
      {Balance::p2c, 4, 4, 2.0 / 4},
      {Balance::p2c, 5, 1, 1.0 / 5},
      {Balance::p2c, 10, 4, 2.0 / 10},
      {Balance::p2c, 2, 0.25, 0.2},
      {Balance::least_requests, 2, 4, 4.0 / 5},
      {Balance::least_requests, 4, 4, 4.0 / 7},
      {Balance::least_requests, 10, 4, 4.0 / 13},
      {Balance::round_robin, 4, 4, 1.0 / 4},
      {Balance::random, 4, 4, 1.0 / 4},
  };
  for (const Case& c : cases) {
    CAPTURE(name_of(c.kind));
    CAPTURE(c.n);
    CAPTURE(c.speed);
    const double share = share_of_fast(c.kind, c.n, c.speed);
    CAPTURE(share);
    CHECK(std::abs(share - c.share) < 0.02);
  }
}

namespace {

constexpr std::size_t keys = 20'000;

/// The key of the endpoint that each of `keys` hashes is sent to.
std::vector<std::string> placed(const std::vector<Candidate>& candidates) {
  const Balancer balancer(Balance::maglev, candidates);
  Random random(1);
  std::vector<std::string> result;
  for (std::size_t i = 0; i < keys; ++i)
    result.emplace_back(candidates[balancer.pick(random, gw::hash_of("user" + std::to_string(i)), no_load)].key);
  return result;
}

/// The part of keys that are placed differently.
double moved(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < keys; ++i) count += before[i] != after[i];
  return static_cast<double>(count) / keys;
}

}  // namespace

TEST_CASE("maglev: when one of N endpoints leaves at most 2/N of the keys move") {
  struct Case {
    std::size_t n;
    bool is_equal;
  };
  const Case cases[] = {
      {2, true}, {3, true}, {5, true}, {10, true}, {50, true}, {100, true}, {3, false}, {5, false}, {10, false}, {50, false},
  };
  for (const Case& c : cases) {
    std::vector<unsigned> weights;
    for (std::size_t i = 0; i < c.n; ++i) weights.push_back(c.is_equal ? 1 : 1 + static_cast<unsigned>(i % 4));
    const Endpoints endpoints(weights);
    const auto all = placed(endpoints.candidates());
    for (const std::size_t leaves : {std::size_t{0}, c.n / 2, c.n - 1}) {
      auto left = endpoints.candidates();
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(leaves));
      const double part = moved(all, placed(left));
      CAPTURE(c.n);
      CAPTURE(leaves);
      CAPTURE(part);
      CHECK(part <= 2 * std::max(endpoints.share(leaves), 1.0 / static_cast<double>(c.n)));
      CHECK(part >= 0.8 * endpoints.share(leaves));
    }
  }
}

TEST_CASE("maglev: keys stay where they are whatever does not change the shares") {
  const Endpoints endpoints({3, 1, 2, 1, 1, 0, 2});
  const auto candidates = endpoints.candidates();
  const auto before = placed(candidates);
  auto changed = candidates;
  SUBCASE("the order of the endpoints") { std::reverse(changed.begin(), changed.end()); }
  SUBCASE("another order") { std::rotate(changed.begin(), changed.begin() + 3, changed.end()); }
  SUBCASE("all weights times 100") {
    for (Candidate& c : changed) c.weight *= 100;
  }
  SUBCASE("an endpoint without weight that is gone") { changed.erase(changed.begin() + 5); }
  CHECK(moved(before, placed(changed)) == 0);
}

TEST_CASE("maglev: when one weight changes, about as many keys move as shares say") {
  struct Case {
    std::vector<unsigned> before, after;
    double least, most;
  };
  const Case cases[] = {
      {{100, 100, 100, 100}, {100, 100, 100, 90}, 0.019, 0.03},  // share 1/4 -> 9/39
      {{100, 100, 100, 100}, {100, 100, 100, 50}, 0.10, 0.12},   // share 1/4 -> 1/7
      {{100, 100, 100, 100}, {100, 100, 100, 1}, 0.24, 0.26},    // share 1/4 -> 1/301
      {{10, 10, 10, 10, 10}, {10, 10, 20, 10, 10}, 0.12, 0.15},  // share 1/5 -> 1/3
  };
  for (const Case& c : cases) {
    const double part = moved(placed(Endpoints(c.before).candidates()), placed(Endpoints(c.after).candidates()));
    CAPTURE(part);
    CHECK(part >= c.least);
    CHECK(part <= c.most);
  }
}

TEST_CASE("maglev: the same key goes to the same endpoint in all gateways and versions") {
  const Balancer balancer = balancer_of(Balance::maglev, Endpoints({1, 1, 1, 1, 1}));
  const std::pair<std::string_view, char> cases[] = {
      {"", 'e'}, {"a", 'c'}, {"10.1.2.3", 'c'}, {"10.1.2.4", 'e'}, {"user42", 'd'}, {"user43", 'e'}, {"user44", 'c'},
  };
  Random random(1);
  for (const auto& [key, endpoint] : cases) {
    CAPTURE(key);
    CHECK(static_cast<char>('a' + balancer.pick(random, gw::hash_of(key), no_load)) == endpoint);
  }
}

TEST_CASE("maglev: the sizes of tables are primes, and each has at least 100 entries per endpoint up to a hundred thousand") {
  for (const std::uint32_t size : gw::Maglev::sizes) {
    CAPTURE(size);
    bool is_prime = size % 2 == 1;
    for (std::uint32_t d = 3; d * d <= size && is_prime; d += 2) is_prime = size % d != 0;
    CHECK(is_prime);
  }
  CHECK(std::is_sorted(gw::Maglev::sizes.begin(), gw::Maglev::sizes.end()));
  CHECK(gw::Maglev::sizes.back() / 100 > 100'000);
}

TEST_CASE("hash: of a text is the same everywhere") {
  struct Case {
    std::string_view text;
    std::uint64_t hash;
  };
  const Case cases[] = {
      {"", 0xF52A15E9A9B5E89B},
      {"a", 0x02C0BDBF481420F8},
      {"10.0.0.1:8080", 0xE6BE330C3D44A2E2},
      {"10.0.0.2:8080", 0x7C8A711FDCE6EEAA},
      {"\xC3\xA9", 0x233403617480019E},
  };
  for (const Case& c : cases) CHECK(gw::hash_of(c.text) == c.hash);
}

TEST_CASE("hash: texts that differ in one character differ in about half of the bits") {
  for (int i = 0; i < 1000; ++i) {
    const std::string text = "10.0.0." + std::to_string(i);
    const int bits = std::popcount(gw::hash_of(text + "0") ^ gw::hash_of(text + "1"));
    CHECK(bits >= 12);
    CHECK(bits <= 52);
  }
}

TEST_CASE("random: numbers below n are all below n and come equally often, also from seed 0") {
  for (const std::uint64_t seed : {0u, 1u, 12345u}) {
    for (const std::uint64_t scale : {std::uint64_t{1}, std::uint64_t{1} << 30, std::uint64_t{1} << 33, std::uint64_t{1} << 61}) {
      Random random(seed);
      std::vector<int> count(7, 0);
      for (int i = 0; i < 70'000; ++i) ++count.at(random.below(7 * scale) / scale);
      for (int n : count) CHECK(std::abs(n - 10'000) < 500);
      CHECK(random.below(1) == 0);
    }
  }
}
