/// \file
/// Level 5: a configuration as it may be shown: without what is secret in it.
#pragma once

#include "config/node.hpp"

#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace config {

/// What stands in the place of a secret.
inline constexpr std::string_view masked = "<masked>";

/// Whether something called so is likely to hold a secret: "x-api-key", "Authorization", "password".
/// Rather too often than once too seldom.
bool is_secret_name(std::string_view name);

/// `text` with the credentials of URLs in it masked: "http://<masked>@host/".
std::string without_credentials(std::string_view text);

/// The options of the stage `name` as JSON. Masked are values behind the name of a secret, with all that is inside
/// them, and of stages that are about secrets themselves ("key_auth", "jwt") all values.
std::string masked_json(std::string_view name, const Node& options);

}  // namespace config
}  // namespace v0
}  // namespace gw
