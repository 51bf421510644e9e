/// \file
/// Level 5: from a tree to a `Config`: the only place that knows the keys of a configuration file.
#pragma once

#include "config/value.hpp"

#include <gw/config.hpp>

namespace gw {
inline namespace v0 {
namespace config {

/// Reads a whole configuration. What is wrong becomes a problem, and its place in the config keeps
/// the default; so much as could be read is returned.
Config decode(const Value& root);

}  // namespace config
}  // namespace v0
}  // namespace gw
