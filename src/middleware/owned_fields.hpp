/// \file
/// Level 4: the fields that nobody but gw writes.
#pragma once

#include <gw/http.hpp>

#include <array>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// What says how a message is framed and how its connection is used.
inline constexpr std::array<std::string_view, 8> owned_fields{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection",
                                                              "TE", "Trailer", "Transfer-Encoding", "Upgrade"};

/// Whether a configuration may not edit the field `name`, because gw writes it itself.
constexpr bool is_owned_field(std::string_view name) noexcept {
  for (const std::string_view owned : owned_fields)
    if (iequals(name, owned)) return true;
  return false;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
