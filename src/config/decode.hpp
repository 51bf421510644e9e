/// \file
/// Level 5: from a tree to a `Config`: the only place that knows the keys of a configuration file.
#pragma once

#include "config/value.hpp"

#include <gw/config.hpp>

namespace gw {
inline namespace v0 {
namespace config {

/// Reads a whole configuration into `config`, as `gw::parse_config` says. What is wrong becomes a problem, and its place in the config
/// keeps what it has.
void decode(const Value& root, Config& config);

}  // namespace config
}  // namespace v0
}  // namespace gw
