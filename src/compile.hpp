/// \file
/// Level 5: from a configuration to what requests read.
#pragma once

#include <gw/config.hpp>

#include "proxy/snapshot.hpp"
#include "proxy/upstream_state.hpp"

#include <map>
#include <memory>
#include <string>

namespace gw {
inline namespace v0 {

/// What `Gateway::define` and `define_handler` have named.
struct Definitions {
  std::map<std::string, Stage, std::less<>> stages;
  std::map<std::string, Handler, std::less<>> handlers;
};

/// Checks `config` whole and compiles it. With problems (those given and those found) the result is
/// null. Endpoints come from `registry`, so that their state survives a reload. One thread.
std::shared_ptr<const proxy::Snapshot> compile(const Config& config, const Definitions& definitions, proxy::EndpointRegistry& registry,
                                               Problems& problems);

}  // namespace v0
}  // namespace gw
