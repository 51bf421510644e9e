/// \file
/// Level 5: the routes of a configuration.
#pragma once

#include "config/value.hpp"

#include <gw/config.hpp>

#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// Reads the list `routes`. A route with mistakes is kept, so that what refers to it is not wrong too.
void read_routes(const Value& value, std::vector<RouteConfig>& out);

}  // namespace config
}  // namespace v0
}  // namespace gw
