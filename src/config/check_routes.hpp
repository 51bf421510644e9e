/// \file
/// Level 5: whether the routes of a `Config` do something that can be done.
#pragma once

#include "config/report.hpp"

#include <gw/config.hpp>

namespace gw {
inline namespace v0 {
namespace config {

/// Reports routes without an action, actions that cannot be taken, options that do not fit them, and taken names.
void check_routes(const Config& config, Report& report);

}  // namespace config
}  // namespace v0
}  // namespace gw
