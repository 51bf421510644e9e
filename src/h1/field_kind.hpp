/// \file
/// Level 1: what a header field is to a gateway, told by its name. Std only.
#pragma once

#include <cstdint>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace h1 {

/// The fields that a gateway treats otherwise than others.
enum class FieldKind : std::uint8_t {
  end_to_end,
  // Up to transfer_encoding: is_hop_by_hop.
  hop_by_hop,         ///< RFC 9110 7.6.1, and "Proxy", which CGI servers mistake for a setting
  connection,         ///< hop-by-hop, and names more of them
  te,                 ///< hop-by-hop
  transfer_encoding,  ///< hop-by-hop
  upgrade,            ///< hop-by-hop, but for those who switch
  content_length,
  host,
  expect,             ///< who waits for the answer to it cannot have it taken away (RFC 9110 10.1.1)
  forwarded,          ///< Forwarded and X-Forwarded-*, who the client is: only a trusted peer and stages may say
  via,
  date,
};

/// The kind of the field called `name`, without case. `name` is a token, or at least without controls.
FieldKind kind_of(std::string_view name) noexcept;

/// Whether fields of `kind` never go on. Upgrade, which a 101 keeps, is left to the caller.
constexpr bool is_hop_by_hop(FieldKind kind) noexcept { return kind >= FieldKind::hop_by_hop && kind <= FieldKind::transfer_encoding; }

}  // namespace h1
}  // namespace v0
}  // namespace gw
