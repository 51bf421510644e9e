/// \file
/// Level 5: the upstreams of a configuration.
#pragma once

#include "config/value.hpp"

#include <gw/config.hpp>

#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// Reads the map `upstreams`. An upstream with mistakes is kept: routes that name it are not wrong.
void read_upstreams(const Value& value, std::vector<UpstreamConfig>& out);

}  // namespace config
}  // namespace v0
}  // namespace gw
