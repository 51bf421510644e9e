/// \file
/// Level 5: what is hashed of a request, as a value of a configuration.
#pragma once

#include "config/value.hpp"

#include <gw/upstream.hpp>

#include <optional>

namespace gw {
inline namespace v0 {
namespace config {

/// Reads client_address, path, {header: NAME} or {cookie: NAME}; nothing if it is wrong, which is reported.
std::optional<HashKey> read_hash(const Value& value);
/// Reads {header: NAME} or {cookie: NAME}; nothing if it is wrong, which is reported.
std::optional<HashKey> read_hash_field(const Value& value);

}  // namespace config
}  // namespace v0
}  // namespace gw
