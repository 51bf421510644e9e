/// \file
/// Level 2: what a rule asks of a request beside method and path: its host, query and fields. Std only.
#pragma once

#include <gw/http.hpp>
#include <gw/path.hpp>
#include <gw/route.hpp>

#include <array>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// A host as rules write it: without port, without the dot at the end, lower case. A view of
/// `buffer`, or nothing if it is too long for a name (RFC 1035 2.3.4).
inline std::string_view plain_host(std::string_view authority, std::array<char, 256>& buffer) noexcept {
  const std::size_t bracket = authority.rfind(']');  // the colons of an IPv6 address are no port
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view host = authority.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > buffer.size()) return {};
  for (std::size_t i = 0; i < host.size(); ++i)
    buffer[i] = host[i] >= 'A' && host[i] <= 'Z' ? static_cast<char>(host[i] | 0x20) : host[i];
  return {buffer.data(), host.size()};
}

/// Whether one of the "name=value" pairs of a raw query passes.
inline bool has_query(std::string_view query, const FieldTest& test) noexcept {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    if (!pair.empty() && equals_decoded(pair.substr(0, equals), test.name) && (test.value == "*" || equals_decoded(value, test.value)))
      return true;
  }
  return false;
}

/// Whether one of the fields passes; `headers` may be null.
inline bool has_header(const Headers* headers, const FieldTest& test) noexcept {
  if (!headers) return false;
  for (const Headers::Field& field : *headers)
    if (iequals(field.name, test.name) && (test.value == "*" || field.value == test.value)) return true;
  return false;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
