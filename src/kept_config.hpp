/// \file
/// Level 5: the configuration that a gateway keeps. While the gateway runs hardly anybody asks for it, and the router has the rules of
/// its routes; of the rest many routes have the same.
#pragma once

#include <gw/config.hpp>

#include "proxy/snapshot.hpp"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// The routes of a configuration in little memory.
class PackedRoutes {
 public:
  /// Packs the routes that `snapshot` was made of, in their order.
  PackedRoutes(std::vector<RouteConfig> routes, std::shared_ptr<const proxy::Snapshot> snapshot);

  /// The routes as they were.
  std::vector<RouteConfig> unpack() const;

 private:
  /// What a route has of its own, beside its rule.
  struct Own {
    std::uint32_t rest : 29 = 0;     // in `rests_`
    std::uint32_t is_named : 1 = 0;  // the name of the rule is not the router's
    std::uint32_t has_path : 1 = 0;  // the place has the path of the route in the configuration, and not one that is kept in the rest
    std::uint32_t has_forward_path : 1 = 0;
    std::pair<int, int> position;          // line and column
    std::pair<int, int> forward_position;
  };

  std::shared_ptr<const proxy::Snapshot> snapshot_;  // has the rules
  std::vector<Own> routes_;
  std::vector<RouteConfig> rests_;  // without rules, positions and those paths; one for routes that are alike and follow each other
};

/// A configuration that can be packed. One thread, or under a lock.
class KeptConfig {
 public:
  /// Everything but the routes, which may be packed.
  Config& settings() noexcept { return config_; }
  const Config& settings() const noexcept { return config_; }
  /// The whole, to be read or edited; open until `pack`.
  Config& open();
  /// A copy of the whole. It stays packed if it is.
  Config copy() const;
  /// The whole, for somebody who may keep the reference: it is never packed again.
  Config& lend();
  /// Replaces it.
  void set(Config config);
  /// Packs it, unless it was lent or is packed already; false then. `snapshot` was made of it.
  bool pack(std::shared_ptr<const proxy::Snapshot> snapshot);

 private:
  Config config_;
  std::unique_ptr<const PackedRoutes> packed_;  // if there is one, the routes of `config_` are here
  bool is_lent_ = false;
};

}  // namespace v0
}  // namespace gw
