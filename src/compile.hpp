/// \file
/// Level 5: from a configuration to what requests read.
#pragma once

#include <gw/config.hpp>

#include "proxy/snapshot.hpp"
#include "proxy/worker.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {

/// What `Gateway::define` and `define_handler` have named.
struct Definitions {
  std::map<std::string, Stage, std::less<>> stages;
  std::map<std::string, Handler, std::less<>> handlers;
};

/// Checks `config` whole and compiles it. With problems (those given and those found) the result is
/// null. Endpoints and counters come from `shared`, so that they survive a reload; stages
/// inherit their state from `before`, the snapshot in use, if there is one: the nth of a type from the
/// nth of that type that the gateway or the route of the same name had. One thread.
std::shared_ptr<const proxy::Snapshot> compile(const Config& config, const Definitions& definitions, proxy::Shared& shared,
                                               Problems& problems, const proxy::Snapshot* before = nullptr);

/// What is allowed in `config` but hardly meant: routes that never get a request. `router` is that of its routes.
Problems warnings_of(const Config& config, const Router<std::uint32_t>& router);

/// The router of the routes of `config`, whatever their stages and actions are. Throws `ConfigError`.
Router<std::uint32_t> router_of(const Config& config);

/// Appends what is wrong with the patterns of `config` and which of its routes conflict. Routes that `problems` names already
/// are left out: with half of them unread, more would be guesses. What code may still define is not looked at.
void check_routes(const Config& config, Problems& problems);

}  // namespace v0
}  // namespace gw
