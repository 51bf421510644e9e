/// \file
/// Level 5: a configuration as JSON, to look at.
#pragma once

#include <gw/config.hpp>

#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// The whole configuration in the words of a file, defaults included and secrets masked. What is code
/// shows as "<code>".
std::string config_json(const Config& config);

/// The routes with their names, `names[i]` that of `config.routes[i]`, and with the stages of the
/// gateway before their own.
std::string routes_json(const Config& config, const std::vector<std::string>& names);

}  // namespace config
}  // namespace v0
}  // namespace gw
