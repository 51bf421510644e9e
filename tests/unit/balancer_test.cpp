#include <doctest/doctest.h>

#include <gw/balancer.hpp>

#include <cmath>
#include <map>
#include <string>
#include <thread>
#include <vector>

using gw::Balance, gw::Balancer, gw::Random;

namespace {

/// How often each endpoint is picked in `picks`, all of them without load.
std::vector<std::size_t> picks_of(const Balancer& balancer, std::size_t endpoints, std::size_t picks) {
  Random random(42);
  std::vector<std::size_t> count(endpoints, 0);
  for (std::size_t i = 0; i < picks; ++i) ++count[balancer.pick(random, [](std::size_t) { return 0u; })];
  return count;
}

struct WeightCase {
  std::vector<unsigned> weights;
};
const std::vector<WeightCase> weight_cases{
    {{1}}, {{1, 1}}, {{1, 1, 1}}, {{5, 1, 1}}, {{1, 2, 3, 4}}, {{0, 1}}, {{3, 0, 1, 0}}, {{100, 100, 50}}, {{7, 0, 0}}, {{1, 99}},
};

double sum_of(const std::vector<unsigned>& weights) {
  double sum = 0;
  for (unsigned w : weights) sum += w;
  return sum;
}

}  // namespace

TEST_CASE("balancer: round robin gives every endpoint exactly its share") {
  for (const WeightCase& c : weight_cases) {
    const Balancer balancer(Balance::round_robin, c.weights);
    const auto total = static_cast<std::size_t>(sum_of(c.weights));
    const std::vector<std::size_t> count = picks_of(balancer, c.weights.size(), 10 * total);
    for (std::size_t i = 0; i < c.weights.size(); ++i) CHECK(count[i] == 10 * c.weights[i]);
  }
}

TEST_CASE("balancer: round robin takes turns, and a heavy endpoint does not come in a row while others wait") {
  struct Case {
    std::vector<unsigned> weights;
    std::string turns;
  };
  const Case cases[] = {
      {{1, 1, 1}, "abcabc"},
      {{5, 1, 1}, "aabacaaaabacaa"},
      {{2, 2}, "abab"},
      {{3, 0, 1}, "aacaaaca"},
      {{200, 100}, "abaaba"},
  };
  for (const Case& c : cases) {
    const Balancer balancer(Balance::round_robin, c.weights);
    Random random(1);
    std::string turns;
    while (turns.size() < c.turns.size()) turns += static_cast<char>('a' + balancer.pick(random, [](std::size_t) { return 0u; }));
    CHECK(turns == c.turns);
  }
}

TEST_CASE("balancer: round robin stays within one request of the exact share at any moment") {
  for (const WeightCase& c : weight_cases) {
    const Balancer balancer(Balance::round_robin, c.weights);
    Random random(1);
    std::vector<double> count(c.weights.size(), 0);
    for (int n = 1; n <= 300; ++n) {
      ++count[balancer.pick(random, [](std::size_t) { return 0u; })];
      for (std::size_t i = 0; i < count.size(); ++i) CHECK(std::abs(count[i] - n * c.weights[i] / sum_of(c.weights)) <= 1.0);
    }
  }
}

TEST_CASE("balancer: with equal load the power of two choices shares by weight within 2 %") {
  for (const WeightCase& c : weight_cases) {
    const Balancer balancer(Balance::p2c, c.weights);
    constexpr std::size_t picks = 100'000;
    const std::vector<std::size_t> count = picks_of(balancer, c.weights.size(), picks);
    for (std::size_t i = 0; i < c.weights.size(); ++i) {
      const double share = static_cast<double>(count[i]) / picks;
      CAPTURE(i);
      CHECK(std::abs(share - c.weights[i] / sum_of(c.weights)) < 0.02);
      if (c.weights[i] == 0) CHECK(count[i] == 0);
    }
  }
}

TEST_CASE("balancer: of two endpoints the one with less load per weight is always taken") {
  const Balancer balancer(Balance::p2c, {1, 3});
  Random random(7);
  const std::vector<std::pair<std::vector<unsigned>, std::size_t>> cases{
      {{5, 0}, 1}, {{0, 5}, 0}, {{2, 5}, 1}, {{1, 4}, 0},
  };
  for (const auto& [loads, expected] : cases)
    for (int i = 0; i < 1000; ++i) CHECK(balancer.pick(random, [&loads = loads](std::size_t e) { return loads[e]; }) == expected);
}

TEST_CASE("balancer: the most loaded of many endpoints is never taken") {
  const Balancer balancer(Balance::p2c, {1, 1, 1, 1, 1});
  Random random(7);
  for (int i = 0; i < 10'000; ++i) CHECK(balancer.pick(random, [](std::size_t e) { return e == 2 ? 9u : 1u; }) != 2);
}

TEST_CASE("balancer: the power of two choices keeps running requests even where endpoints differ in speed") {
  // Endpoint 0 finishes a request every second turn, the others at once.
  const Balancer balancer(Balance::p2c, {1, 1, 1});
  Random random(3);
  std::vector<unsigned> running(3, 0);
  unsigned longest = 0;
  for (int turn = 0; turn < 10'000; ++turn) {
    const std::size_t picked = balancer.pick(random, [&](std::size_t e) { return running[e]; });
    ++running[picked];
    longest = std::max(longest, running[0]);
    if (turn % 2 == 0 && running[0] > 0) --running[0];
    running[1] = running[2] = 0;
  }
  CHECK(longest <= 2);
}

TEST_CASE("balancer: without an endpoint that has weight there is nothing to pick") {
  CHECK(Balancer(Balance::p2c, {}).empty());
  CHECK(Balancer(Balance::p2c, {0, 0}).empty());
  CHECK(Balancer(Balance::round_robin, {0}).empty());
  CHECK_FALSE(Balancer(Balance::p2c, {0, 1}).empty());
}

TEST_CASE("balancer: workers that share it together keep the shares of round robin") {
  const Balancer balancer(Balance::round_robin, {2, 1});
  constexpr std::size_t threads = 4, picks = 3000;
  std::vector<std::vector<std::size_t>> counts(threads);
  std::vector<std::thread> running;
  for (std::size_t t = 0; t < threads; ++t) running.emplace_back([&, t] { counts[t] = picks_of(balancer, 2, picks); });
  for (std::thread& t : running) t.join();
  std::size_t first = 0;
  for (const auto& count : counts) first += count[0];
  CHECK(first == threads * picks * 2 / 3);
}

TEST_CASE("random: numbers below n are all below n and come equally often, also from seed 0") {
  for (const std::uint64_t seed : {0u, 1u, 12345u}) {
    Random random(seed);
    std::vector<int> count(7, 0);
    for (int i = 0; i < 70'000; ++i) ++count.at(random.below(7));
    for (int n : count) CHECK(std::abs(n - 10'000) < 500);
    CHECK(random.below(1) == 0);
  }
}
