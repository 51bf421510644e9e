/// \file
/// Whose request it is, for those that send it on: values to hash, and the cookies of sticky clients.
#pragma once

#include <gw/context.hpp>
#include <gw/upstream.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace proxy {

/// The value of a cookie (RFC 6265 5.4), the first of that name; nothing if it is not there. A view into the headers.
std::optional<std::string_view> cookie_of(const Headers& headers, std::string_view name) noexcept;

/// The part of a request that a key names; nothing if it has none. A view into the context.
std::optional<std::string_view> value_of(const HashKey& key, const Context& c) noexcept;

/// The value of the cookie that keeps a client with the endpoint of this address: nobody without the secret can make it, and it does not
/// tell the address.
std::string sticky_value(const StickyOptions& options, std::string_view address);

/// The field value of Set-Cookie for it (RFC 6265 4.1).
std::string sticky_cookie(const StickyOptions& options, std::string_view value, bool is_secure);

}  // namespace proxy
}  // namespace v0
}  // namespace gw
