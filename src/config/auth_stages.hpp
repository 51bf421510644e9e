/// \file
/// Level 5: reading the options of the stages that authenticate.
#pragma once

#include "config/stages.hpp"

#include <optional>

namespace gw {
inline namespace v0 {
namespace config {

// Each gets the options of its stage, or null without any; it reports what is wrong with them and then gives nothing,
// or throws `ConfigError`.
std::optional<Stage> make_key_auth(const Value* options, const World& world);
std::optional<Stage> make_basic_auth(const Value* options, const World& world);

}  // namespace config
}  // namespace v0
}  // namespace gw
