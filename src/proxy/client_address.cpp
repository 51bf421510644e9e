#include "proxy/client_address.hpp"

#include <cstddef>
#include <optional>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The elements of a list field from the last to the first. Quotation marks are paired from the right,
// too: what the client wrote stands on the left, and must not take what a proxy has appended into a
// quotation of its own.
class FromTheRight {
 public:
  FromTheRight(const Headers& headers, std::string_view name) : headers_(headers), name_(name), field_(headers.size()) {}

  /// The next element, perhaps empty; nothing at the end.
  std::optional<std::string_view> next() {
    if (!has_rest_ && !find_field()) return std::nullopt;
    bool is_quoted = false;
    for (std::size_t i = rest_.size(); i-- > 0;) {
      if (rest_[i] == '"' && !is_escaped(i)) is_quoted = !is_quoted;
      if (rest_[i] != ',' || is_quoted) continue;
      const std::string_view element = rest_.substr(i + 1);
      rest_ = rest_.substr(0, i);
      return trimmed(element);
    }
    has_rest_ = false;
    return trimmed(rest_);
  }

 private:
  // Whether the character at `i` stands behind an odd number of backslashes (RFC 9110 5.6.4).
  bool is_escaped(std::size_t i) const noexcept {
    std::size_t backslashes = 0;
    while (backslashes < i && rest_[i - backslashes - 1] == '\\') ++backslashes;
    return backslashes % 2 == 1;
  }
  // Several fields of a name are one list (RFC 9110 5.3).
  bool find_field() {
    while (field_-- > 0) {
      const Headers::Field& f = headers_.begin()[static_cast<std::ptrdiff_t>(field_)];
      if (!iequals(f.name, name_)) continue;
      rest_ = f.value;
      return has_rest_ = true;
    }
    field_ = 0;
    return false;
  }

  const Headers& headers_;
  std::string_view name_;
  std::size_t field_;
  std::string_view rest_;
  bool has_rest_ = false;
};

bool is_port(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The address of a node (RFC 7239 6), with or without a port. X-Forwarded-For has IPv6 with and without brackets.
std::optional<IpAddress> parse_node(std::string_view text) noexcept {
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) return std::nullopt;
    text = text.substr(1, end - 1);
    return text.find(':') == std::string_view::npos ? std::nullopt : IpAddress::parse(text);
  }
  const std::size_t colon = text.find(':');
  const bool has_port = colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos;
  if (!has_port) return IpAddress::parse(text);
  return is_port(text.substr(colon + 1)) ? IpAddress::parse(text.substr(0, colon)) : std::nullopt;
}

// The scheme that `text` names, if it is one that a client can have used.
std::optional<std::string_view> scheme_of(std::string_view text) noexcept {
  for (const std::string_view known : {"http", "https"})
    if (iequals(text, known)) return known;
  return std::nullopt;
}

// What an element says of the hop that sent the request to whoever wrote the element.
struct Hop {
  std::optional<IpAddress> address;
  std::optional<std::string_view> scheme;
};

Hop x_forwarded_for_hop(std::string_view element) noexcept { return {parse_node(element), {}}; }

// "for=192.0.2.43;proto=https" (RFC 7239 4). A parameter that is there twice makes the element worth nothing.
Hop forwarded_hop(std::string_view element) noexcept {
  Hop hop;
  bool has_for = false, has_proto = false;
  while (!element.empty()) {
    bool is_quoted = false;
    std::size_t end = 0;
    for (; end < element.size() && (is_quoted || element[end] != ';'); ++end) {
      if (element[end] == '\\') return {};  // no address and no scheme needs one
      if (element[end] == '"') is_quoted = !is_quoted;
    }
    const std::string_view pair = trimmed(element.substr(0, end));
    element.remove_prefix(end < element.size() ? end + 1 : end);
    const std::size_t equals = pair.find('=');
    if (is_quoted || equals == std::string_view::npos) return {};
    const std::string_view name = pair.substr(0, equals);
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (iequals(name, "for")) {
      if (std::exchange(has_for, true)) return {};
      hop.address = parse_node(value);
    } else if (iequals(name, "proto")) {
      if (std::exchange(has_proto, true)) return {};
      hop.scheme = scheme_of(value);
    }
  }
  return hop;
}

}  // namespace

ClaimedClient claimed_client(const Headers& headers, std::string_view peer_address, const Networks& trusted) {
  ClaimedClient client{IpAddress::parse(peer_address).value_or(IpAddress()), "http"};
  // Most proxies write X-Forwarded-For alone and let a Forwarded of the client pass: so it counts only
  // where the other is not there.
  const bool is_forwarded = !headers.has("x-forwarded-for");
  FromTheRight elements(headers, is_forwarded ? "forwarded" : "x-forwarded-for");
  while (const auto element = elements.next()) {
    const Hop hop = is_forwarded ? forwarded_hop(*element) : x_forwarded_for_hop(*element);
    if (!hop.address) break;
    client = {*hop.address, hop.scheme.value_or("http")};
    if (!trusted.contains(client.address)) break;
  }
  // Of several values the last is the one that the peer has written.
  if (const auto last = FromTheRight(headers, "x-forwarded-proto").next()) client.scheme = scheme_of(*last).value_or("http");
  return client;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
