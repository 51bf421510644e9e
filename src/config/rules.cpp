#include "config/rules.hpp"

#include "config/text.hpp"
#include "net/dns_channel.hpp"

#include <gw/detail/address.hpp>
#include <gw/http.hpp>
#include <gw/version.hpp>

#include <algorithm>
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

std::string duration_text(Duration duration) {
  const auto count = duration.count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + 's' : std::to_string(count) + "ms";
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
  if (address.starts_with("unix:"))
    return quote(address) + " is no Unix socket: write unix:/PATH, of at most " + std::to_string(detail::longest_socket_path) + " bytes after unix:";
  if (address.starts_with("srv:")) return quote(address) + " is no service: write srv:_http._tcp.HOST; SRV records have the port";
  return quote(address) + " is no address: write HOST, HOST:PORT, [IPv6]:PORT, srv:NAME or unix:/PATH, with a port from 1 to 65535";
}

std::string name_server_mistake(std::string_view address) {
  if (net::parse_name_server(address)) return {};
  return quote(address) + " is no address of a name server: write IP, IP:PORT or [IPv6]:PORT";
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

std::string cookie_mistake(std::string_view name) { return is_token(name) ? std::string() : quote(name) + " is no cookie name"; }

std::string secret_mistake(std::string_view secret) {
  return secret.size() >= 16 ? std::string() : "a secret has 16 bytes or more, not " + std::to_string(secret.size());
}

std::string max_age_mistake(Duration max_age) {
  return max_age % std::chrono::seconds(1) == Duration::zero() ? std::string() : "a number of whole seconds is needed";
}

std::string check_path_mistake(std::string_view path) {
  const auto is_good = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (path.starts_with('/') && std::all_of(path.begin(), path.end(), is_good)) return {};
  return quote(path) + " is no path to ask for: it begins with / and has no space, # or bytes outside ASCII";
}

std::string check_mistake(const CheckOptions& check) {
  if (check.path.empty() && !check.statuses.empty()) return "status needs a path: a TCP connection has none";
  if (check.timeout <= check.interval) return {};
  return "timeout (" + duration_text(check.timeout) + ") must not be above interval (" + duration_text(check.interval) + ")";
}

std::string eject_mistake(const EjectOptions& eject) {
  if (eject.time <= eject.longest) return {};
  return "time (" + duration_text(eject.time) + ") must not be above longest (" + duration_text(eject.longest) + ")";
}

std::string hash_mistake(const HashKey& key) {
  if (key.kind == HashKey::Kind::cookie) return cookie_mistake(key.name);
  return key.kind != HashKey::Kind::header || is_token(key.name) ? std::string() : quote(key.name) + " is no header name";
}

std::string chosen_by_mistake(const HashKey& key) {
  if (key.kind == HashKey::Kind::header || key.kind == HashKey::Kind::cookie) return hash_mistake(key);
  return "only a header or a cookie can name a part";
}

std::string split_mistake(const std::vector<SplitPart>& split) {
  constexpr std::size_t most = 64;
  if (split.empty()) return "a split needs a part";
  if (split.size() > most) return "a split has at most " + std::to_string(most) + " parts, not " + std::to_string(split.size());
  if (std::any_of(split.begin(), split.end(), [](const SplitPart& part) { return part.weight > 0; })) return {};
  return "every part has weight 0: none would get a request";
}

std::string limits_mistake(const Limits& limits) {
  if (limits.target <= limits.head) return {};
  return "target (" + size_text(limits.target) + ") must not be above head (" + size_text(limits.head) + "), which contains it";
}

}  // namespace config
}  // namespace v0
}  // namespace gw
