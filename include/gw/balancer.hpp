/// \file
/// Level 3: which endpoint of an upstream gets the next request. Std only, usable alone.
#pragma once

#include <gw/balance/least_requests.hpp>
#include <gw/balance/maglev.hpp>
#include <gw/balance/p2c.hpp>
#include <gw/balance/random_choice.hpp>
#include <gw/balance/round_robin.hpp>
#include <gw/upstream.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

namespace gw {
inline namespace v0 {

/// The names of the kinds of `Balance` in configurations, in the order of the enumeration.
inline constexpr std::array<std::string_view, 5> balance_names{"p2c", "round_robin", "least_requests", "random", "maglev"};

/// The name of a kind. Valid forever.
constexpr std::string_view name_of(Balance balance) noexcept { return balance_names[static_cast<std::size_t>(balance)]; }

/// What each kind of `Balance` is: it chooses among the candidates that its constructor got, by their weights. `pick` may be called by all
/// workers at once, does not allocate, and is as `Balancer::pick` says.
template <class T>
concept Chooser = std::constructible_from<T, std::span<const Candidate>> &&
                  requires(const T& chooser, Random& random, std::optional<std::uint64_t> hash, unsigned (&load)(std::size_t)) {
                    { chooser.empty() } noexcept -> std::same_as<bool>;
                    { chooser.pick(random, hash, load) } -> std::same_as<std::size_t>;
                  };

/// Chooses among the endpoints of one upstream in one of five ways. Shared by all workers: immutable, but for the turn of round robin,
/// which they take together. When endpoints, weights or health change, a new one is made.
class Balancer {
 public:
  /// `candidates` are read here only. Weights go up to the largest `unsigned`; 0 takes a candidate out but leaves the others their
  /// indices. `turn`: where round robin begins; the `turn()` of the balancer that this one replaces.
  Balancer(Balance balance, std::span<const Candidate> candidates, std::uint64_t turn = 0) : chooser_(made(balance, candidates, turn)) {}

  /// Whether nothing can be picked: there is no candidate with weight.
  bool empty() const noexcept {
    return std::visit([](const auto& chooser) noexcept { return chooser.empty(); }, chooser_);
  }

  /// The candidate for the next request, as its index; not of an empty balancer. `hash`: of whatever the request is told by, for `maglev`
  /// only; nothing: goes anywhere. `load(i)`: how many requests run at candidate i, below 2^32; may be old or change under way.
  template <class Load>
  std::size_t pick(Random& random, std::optional<std::uint64_t> hash, Load&& load) const {
    return std::visit([&](const auto& chooser) { return chooser.pick(random, hash, load); }, chooser_);
  }

  /// Where round robin is; 0 for all others.
  std::uint64_t turn() const noexcept {
    const auto* round_robin = std::get_if<RoundRobin>(&chooser_);
    return round_robin ? round_robin->turn() : 0;
  }

 private:
  template <Chooser... T>
  using OneOf = std::variant<T...>;
  using AnyChooser = OneOf<P2c, RoundRobin, LeastRequests, RandomChoice, Maglev>;

  static AnyChooser made(Balance balance, std::span<const Candidate> candidates, std::uint64_t turn) {
    switch (balance) {
      case Balance::p2c: return AnyChooser(std::in_place_type<P2c>, candidates);
      case Balance::round_robin: return AnyChooser(std::in_place_type<RoundRobin>, candidates, turn);
      case Balance::least_requests: return AnyChooser(std::in_place_type<LeastRequests>, candidates);
      case Balance::random: return AnyChooser(std::in_place_type<RandomChoice>, candidates);
      case Balance::maglev: break;
    }
    return AnyChooser(std::in_place_type<Maglev>, candidates);
  }

  AnyChooser chooser_;
};

}  // namespace v0
}  // namespace gw
