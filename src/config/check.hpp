/// \file
/// Level 5: whether a `Config` holds together, wherever it came from.
#pragma once

#include <gw/config.hpp>

#include <functional>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// Appends what is wrong with `config`: names that refer to nothing or are taken, upstreams without
/// a usable endpoint, routes without an action, numbers out of range, addresses that are none.
///
/// The problems already there are respected: nothing is said about a value, or about what contains
/// it, that they are about. So parsing and checking together say everything once. Whether routes
/// conflict and stages are defined is found out elsewhere. Single-threaded.
void check_references(const Config& config, Problems& problems);

/// The names of the parameters of a rule's pattern, in the order of `Match::params`. What is wrong with the pattern goes to
/// `report`, and then the names mean nothing.
std::vector<std::string> parameters_of(const RouteRule& rule, const std::function<void(const std::string&)>& report);

}  // namespace config
}  // namespace v0
}  // namespace gw
