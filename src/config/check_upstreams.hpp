/// \file
/// Level 5: whether the upstreams of a `Config` hold together.
#pragma once

#include "config/report.hpp"

#include <gw/config.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// The names of the upstreams of a config, which outlives it.
class UpstreamNames {
 public:
  /// Nothing is missing among upstreams that could not be read, as `report` knows.
  UpstreamNames(const Config& config, const Report& report);

  /// What is wrong with `name` if no upstream has it, and which was perhaps meant.
  std::string mistake(std::string_view name) const;

 private:
  std::vector<std::string_view> names_;
  bool are_known_;
};

/// Reports upstreams without a usable endpoint, taken names, options that are out of range or do not fit together, and fallbacks that
/// lead nowhere or in a circle.
void check_upstreams(const Config& config, Report& report);

}  // namespace config
}  // namespace v0
}  // namespace gw
