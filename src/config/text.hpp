/// \file
/// Level 5: text of a configuration in messages, and which characters it may have.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace config {

/// A character that a configuration may not have, and where it stands.
struct BadCharacter {
  std::size_t offset = 0;
  std::string what;  ///< e.g. "control character U+0004 is not allowed"
};

/// The first character of `text` that is not UTF-8 (RFC 3629) or a control character; tab and the
/// ends of lines pass if `is_file`. Any thread.
std::optional<BadCharacter> find_bad_character(std::string_view text, bool is_file);

/// `text` in quotation marks for a message: one line, at most about 80 bytes of it, controls and
/// broken UTF-8 as \xHH.
std::string quote(std::string_view text);

/// The path of the entry `key` of the mapping at `path`: "upstreams.users", `upstreams["a b"]`.
std::string path_of(const std::string& path, std::string_view key);
/// The path of an element of the list at `path`: "routes[2]".
std::string path_of(const std::string& path, std::size_t index);

}  // namespace config
}  // namespace v0
}  // namespace gw
