#include "config/rules.hpp"

#include "config/text.hpp"

#include <gw/detail/address.hpp>
#include <gw/http.hpp>
#include <gw/version.hpp>

#include <array>
#include <utility>

namespace gw {
inline namespace v0 {
namespace config {

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 3> units{{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}};
  for (const auto& [name, factor] : units)
    if (bytes >= factor && bytes % factor == 0) return std::to_string(bytes / factor) + std::string(name);
  return std::to_string(bytes);
}

std::string not_built_yet(std::string_view what) {
  return std::string(what) + " is not built yet in gw " + std::to_string(GW_VERSION_MAJOR) + '.' + std::to_string(GW_VERSION_MINOR);
}

std::string taken_name(std::string_view name, std::string_view path) {
  return "the name " + quote(name) + " is taken by " + std::string(path);
}

std::string name_mistake(std::string_view name) {
  if (name.empty()) return "a name must not be empty";
  if (name.size() > 200) return "a name has at most 200 bytes";
  if (const auto bad = find_bad_character(name, false)) return "name " + quote(name) + ": " + bad->what;
  return {};
}

std::string endpoint_mistake(std::string_view address) {
  if (detail::has_scheme(address, "https")) return not_built_yet("https://");
  if (detail::parse_endpoint(address)) return {};
  if (detail::parse_upstream_url(address)) return quote(address) + ": an endpoint has no path, use base_path of the upstream";
  return quote(address) + " is no address: write HOST, HOST:PORT or [IPv6]:PORT, with a port from 1 to 65535";
}

std::string listen_mistake(std::string_view address) {
  if (detail::parse_listen(address)) return {};
  return quote(address) + " is no address to listen on: write IP:PORT, [IPv6]:PORT or :PORT";
}

std::string route_actions() { return "forward, redirect, reply or handler"; }

std::string forward_mistake(std::string_view to) {
  if (to.empty()) return "nowhere to forward to";
  if (detail::has_scheme(to, "https")) return not_built_yet("https://");
  if (to.find("://") == std::string_view::npos || detail::parse_upstream_url(to)) return {};
  return quote(to) + " is no URL of an upstream: write http://HOST, http://HOST:PORT or http://HOST:PORT/BASE";
}

std::string base_path_mistake(std::string_view path) {
  return detail::is_base_path(path) ? std::string() : quote(path) + " is no base path: it begins with / and has no query";
}

std::string protocol_mistake(std::string_view protocol) {
  const std::size_t slash = protocol.find('/');
  const std::string_view name = protocol.substr(0, slash);
  if (!is_token(name) || (slash != std::string_view::npos && !is_token(protocol.substr(slash + 1))))
    return quote(protocol) + " is no protocol: write a name such as websocket, or NAME/VERSION";
  for (std::string_view carrier : {"h2c", "h2", "http", "tls"})
    if (iequals(name, carrier)) return quote(protocol) + " cannot be switched to: the requests in it would pass by every route, stage and limit";
  return {};
}

std::string limits_mistake(const Limits& limits) {
  if (limits.target <= limits.head) return {};
  return "target (" + size_text(limits.target) + ") must not be above head (" + size_text(limits.head) + "), which contains it";
}

}  // namespace config
}  // namespace v0
}  // namespace gw
