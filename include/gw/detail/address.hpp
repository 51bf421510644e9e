/// \file
/// Level 1: addresses as text (RFC 3986 3.2): what an endpoint, a listener and an upstream URL look
/// like. Syntax only: nothing is resolved. Std only; every function may be called from any thread.
#pragma once

#include <gw/network.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace gw {
inline namespace v0 {
namespace detail {

/// An address: a host name, an IPv4 or an IPv6 address without brackets, and a port.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const HostPort&) const = default;
};

/// What an endpoint says: where to connect, or what to look up for that.
struct EndpointAddress {
  enum class Kind {
    host,     ///< a host name or an IP address, and a port
    service,  ///< a name with SRV records (RFC 2782), which say the port
    path,     ///< a Unix socket
  };
  Kind kind = Kind::host;
  std::string name;
  std::uint16_t port = 0;  ///< of a host; else 0

  bool operator==(const EndpointAddress&) const = default;
};

/// Where an upstream URL points, and the path put before every path that is forwarded there.
struct UpstreamUrl {
  HostPort address;
  std::string base_path = "/";

  bool operator==(const UpstreamUrl&) const = default;
};

/// Whether `text` is a dotted quad without leading zeros.
constexpr bool is_ipv4(std::string_view text) noexcept { return parse_ipv4(text).has_value(); }
/// Whether `text` is an IPv6 address without brackets and without a zone (RFC 4291 2.2).
constexpr bool is_ipv6(std::string_view text) noexcept { return parse_ipv6(text).has_value(); }

/// Whether `text` is a host name (RFC 1123 2.1, and `_`, which container networks use). What ends
/// like a number must be an IPv4 address: "10.0.0.256" is a slip and not a name.
constexpr bool is_host_name(std::string_view text) noexcept {
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  if (text.empty() || text.size() > 253) return false;
  bool is_number = true;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    is_number = true;
    for (char c : label) {
      const bool is_digit = c >= '0' && c <= '9';
      if (!is_digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_') return false;
      is_number = is_number && is_digit;
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
    if (rest.empty()) return false;
  }
  return !is_number;
}

/// Reads "host", "host:port", "[v6]" or "[v6]:port"; without a port it is `default_port`. The port
/// may be 0, which only a listener can use. Nothing if `text` is none of these.
inline std::optional<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
  HostPort result{"", default_port};
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1))) return std::nullopt;
    result.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    has_port = !text.empty();
    if (has_port && text.front() != ':') return std::nullopt;
    if (has_port) port = text.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    const std::string_view host = text.substr(0, colon);
    if (!is_ipv4(host) && !is_host_name(host)) return std::nullopt;
    result.host = host;
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
  }
  if (has_port) {
    if (port.empty() || port.size() > 5) return std::nullopt;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  }
  return result;
}

/// Whether `text` begins with `scheme` and "://", the scheme compared without case (RFC 3986 3.1).
constexpr bool has_scheme(std::string_view text, std::string_view scheme) noexcept {
  if (text.size() < scheme.size() + 3 || text.substr(scheme.size(), 3) != "://") return false;
  for (std::size_t i = 0; i < scheme.size(); ++i)
    if ((text[i] | 0x20) != scheme[i]) return false;
  return true;
}

/// Whether `text` can be put before a path: it begins with "/" and has only characters of a path
/// (RFC 3986 3.3), no query and no fragment.
constexpr bool is_base_path(std::string_view text) noexcept {
  if (text.empty() || text.front() != '/') return false;
  for (unsigned char c : text)
    if (c <= 0x20 || c >= 0x7f || std::string_view("?#\\\"<>^`{|}").find(static_cast<char>(c)) != std::string_view::npos) return false;
  return true;
}

/// Reads "http://host[:port][/base]"; the port is 80 if none is given, the base path "/". A "/" at
/// the end of a longer base path is left out. Nothing for other schemes, user names, queries and
/// fragments, and for port 0.
inline std::optional<UpstreamUrl> parse_upstream_url(std::string_view text) {
  if (!has_scheme(text, "http")) return std::nullopt;
  text.remove_prefix(7);
  const std::size_t slash = text.find('/');
  auto address = parse_host_port(text.substr(0, slash), 80);
  if (!address || address->port == 0) return std::nullopt;
  UpstreamUrl url{std::move(*address), "/"};
  if (slash != std::string_view::npos) url.base_path = text.substr(slash);
  if (!is_base_path(url.base_path)) return std::nullopt;
  if (url.base_path.size() > 1 && url.base_path.back() == '/') url.base_path.pop_back();
  return url;
}

/// The longest path of a Unix socket, in bytes (unix(7)).
inline constexpr std::size_t longest_socket_path = 107;

/// Reads the address of an endpoint: "host", "host:port", "[v6]:port", or "http://" before one of these, where the port is 80 if none is
/// given, and never 0; "srv:_http._tcp.host", or "unix:/path".
inline std::optional<EndpointAddress> parse_endpoint(std::string_view text) {
  using Kind = EndpointAddress::Kind;
  constexpr std::string_view service = "srv:", path = "unix:";
  if (text.starts_with(service) && !is_ipv4(text.substr(service.size())) && is_host_name(text.substr(service.size())))
    return EndpointAddress{Kind::service, std::string(text.substr(service.size())), 0};
  if (text.starts_with(path)) {
    text.remove_prefix(path.size());
    const bool is_path = text.size() > 1 && text.size() <= longest_socket_path && text.front() == '/' && text.find('\0') == std::string_view::npos;
    return is_path ? std::optional(EndpointAddress{Kind::path, std::string(text), 0}) : std::nullopt;
  }
  std::optional<HostPort> address;
  if (has_scheme(text, "http")) {
    auto url = parse_upstream_url(text);
    if (url && url->base_path == "/") address = std::move(url->address);
  } else {
    address = parse_host_port(text, 80);
  }
  if (!address || address->port == 0) return std::nullopt;
  return EndpointAddress{Kind::host, std::move(address->host), address->port};
}

/// Reads the address of a listener: "127.0.0.1:8000", "[::1]:8000", or ":8000" for 127.0.0.1.
/// Names are not taken: which of their addresses is meant would be a guess.
inline std::optional<HostPort> parse_listen(std::string_view text) {
  if (!text.empty() && text.front() == ':') return parse_host_port("127.0.0.1" + std::string(text), 0);
  // Without a port there is no default to take.
  if (text.empty() || text.back() == ']' || text.find(':') == std::string_view::npos) return std::nullopt;
  auto address = parse_host_port(text, 0);
  if (!address || !(is_ipv4(address->host) || is_ipv6(address->host))) return std::nullopt;
  return address;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
