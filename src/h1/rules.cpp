#include "h1/rules.hpp"

#include "h1/words.hpp"

#include <gw/network.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace gw {
inline namespace v0 {
namespace h1 {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_hex(char c) noexcept { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

/// reg-name of RFC 3986 3.2.2 without percent signs, and without the comma, which would let a list
/// of hosts pass as one.
constexpr auto host_characters = [] {
  std::array<bool, 256> table{};
  for (unsigned char c : std::string_view("-._~!$&'()*+;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) table[c] = true;
  return table;
}();

bool is_host_name(std::string_view host) noexcept {
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (host_characters[static_cast<unsigned char>(host[i])]) continue;
    if (host[i] != '%' || i + 2 >= host.size() || !is_hex(host[i + 1]) || !is_hex(host[i + 2])) return false;
    i += 2;
  }
  return !host.empty();
}

/// An IPv6 address without its brackets.
bool is_ipv6(std::string_view address) noexcept { return address.find(':') != address.npos && IpAddress::parse(address); }

/// The number that the digits of `text` are; nothing if there is anything else.
std::optional<std::uint64_t> number_of(std::string_view text) noexcept {
  std::uint64_t number = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

bool is_port(std::string_view port) noexcept { return port.size() <= 5 && number_of(port).value_or(65536) <= 65535; }

/// What follows "http://" or "https://", or nothing.
std::optional<std::string_view> after_scheme(std::string_view text) noexcept {
  for (std::string_view scheme : {"http://", "https://"})
    if (iequals(text.substr(0, scheme.size()), scheme)) return text.substr(scheme.size());
  return std::nullopt;
}

Target split_query(std::string_view text) noexcept {
  Target target;
  target.text = text;
  const std::size_t mark = text.find('?');
  target.has_query = mark != text.npos;
  target.path = text.substr(0, mark);
  if (target.has_query) target.query = text.substr(mark + 1);
  return target;
}

struct ForbiddenTrailer {
  std::string_view name;
  TrailerRule rule;
};

/// RFC 9110 6.5.1: fields for framing, routing, modifying, authenticating or describing content
/// before it is read; and those that gw itself answers for.
constexpr ForbiddenTrailer forbidden_trailers[] = {
    {"connection", TrailerRule::refuse},        {"content-length", TrailerRule::refuse},   {"host", TrailerRule::refuse},
    {"keep-alive", TrailerRule::refuse},        {"proxy-connection", TrailerRule::refuse}, {"te", TrailerRule::refuse},
    {"trailer", TrailerRule::refuse},           {"transfer-encoding", TrailerRule::refuse}, {"upgrade", TrailerRule::refuse},
    {"http2-settings", TrailerRule::refuse},    {"proxy", TrailerRule::refuse},
    {"age", TrailerRule::drop},                 {"authorization", TrailerRule::drop},      {"cache-control", TrailerRule::drop},
    {"content-encoding", TrailerRule::drop},    {"content-range", TrailerRule::drop},      {"content-type", TrailerRule::drop},
    {"cookie", TrailerRule::drop},              {"date", TrailerRule::drop},               {"expect", TrailerRule::drop},
    {"expires", TrailerRule::drop},             {"forwarded", TrailerRule::drop},          {"if-match", TrailerRule::drop},
    {"if-modified-since", TrailerRule::drop},   {"if-none-match", TrailerRule::drop},      {"if-range", TrailerRule::drop},
    {"if-unmodified-since", TrailerRule::drop}, {"location", TrailerRule::drop},           {"max-forwards", TrailerRule::drop},
    {"pragma", TrailerRule::drop},              {"proxy-authenticate", TrailerRule::drop}, {"proxy-authorization", TrailerRule::drop},
    {"range", TrailerRule::drop},               {"retry-after", TrailerRule::drop},        {"set-cookie", TrailerRule::drop},
    {"vary", TrailerRule::drop},                {"via", TrailerRule::drop},                {"warning", TrailerRule::drop},
    {"www-authenticate", TrailerRule::drop},
};

}  // namespace

bool is_named_if_as_long(std::string_view name, std::string_view wanted) noexcept {
  const auto folded = [](char c) { return c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(name.begin(), name.end(), wanted.begin(), [&](char a, char b) { return folded(a) == folded(b); });
}

bool is_authority(std::string_view text) noexcept {
  const bool in_brackets = !text.empty() && text.front() == '[';
  const std::size_t host_end = in_brackets ? text.find(']') : std::min(text.find(':'), text.size());
  if (host_end == text.npos) return false;
  if (in_brackets ? !is_ipv6(text.substr(1, host_end - 1)) : !is_host_name(text.substr(0, host_end))) return false;
  const std::string_view rest = text.substr(host_end + (in_brackets ? 1 : 0));
  return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

std::optional<Target> read_target(Method method, std::string_view text, std::string& scratch) {
  if (text.front() == '/') return split_query(text);
  if (text == "*") return method == Method::options ? std::optional(split_query(text)) : std::nullopt;
  const auto rest = after_scheme(text);
  if (!rest) return std::nullopt;
  const std::size_t end = std::min(rest->find_first_of("/?"), rest->size());
  const std::string_view authority = rest->substr(0, end);
  if (!is_authority(authority)) return std::nullopt;
  std::string_view origin = rest->substr(end);
  if (origin.empty()) {
    // RFC 9112 3.2.4: this is how a proxy is sent "*".
    origin = method == Method::options ? "*" : "/";
  } else if (origin.front() == '?') {
    scratch.assign("/").append(origin);
    origin = scratch;
  }
  Target target = split_query(origin);
  target.authority = authority;
  return target;
}

bool FramingFields::note_option(std::string_view option) noexcept {
  if (is_word(option, "keep-alive")) return keep_alive = true;
  if (is_word(option, "close")) return close = true;
  if (is_word(option, "upgrade")) return upgrade = true;
  return false;
}

void FramingFields::note_connection(std::string_view value) {
  // Nearly all name one option.
  if (!note_option(value)) for_each_element(value, [this](std::string_view option) { note_option(option); });
}

std::optional<Error> FramingFields::note_content_length(std::string_view value) noexcept {
  if (content_length_ || value.empty() || value.size() > 19) return Error::bad_content_length;
  // Zeros in front make octal numbers of it for some.
  if (value.size() > 1 && value.front() == '0') return Error::bad_content_length;
  const std::optional<std::uint64_t> number = number_of(value);
  // What a signed number cannot hold is negative to some.
  if (!number || *number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return Error::bad_content_length;
  content_length_ = number;
  return std::nullopt;
}

std::optional<Error> FramingFields::note_transfer_encoding(std::string_view value) noexcept {
  const auto is_chunked = [](std::string_view coding) { return iequals(coding, "chunked"); };
  if (chunked_) return Error::bad_transfer_encoding;
  if (is_chunked(value)) {
    chunked_ = true;
    return std::nullopt;
  }
  // A body whose last coding is not "chunked" has no end (RFC 9112 6.3); one that has other codings
  // before it is well framed and merely not implemented (6.1).
  const std::size_t comma = value.rfind(',');
  if (comma == value.npos || !is_chunked(value.substr(std::min(value.find_first_not_of(" \t", comma + 1), value.size()))))
    return Error::bad_transfer_encoding;
  bool codings_are_tokens = true;
  for_each_element(value.substr(0, comma), [&](std::string_view coding) {
    codings_are_tokens = codings_are_tokens && is_token(coding) && !is_chunked(coding);
  });
  const bool starts_with_coding = comma > 0 && value.front() != ',';
  return codings_are_tokens && starts_with_coding ? Error::unsupported_transfer_coding : Error::bad_transfer_encoding;
}

std::optional<Error> FramingFields::conflict(Version version) const noexcept {
  if (chunked_ && (content_length_ || version == Version::http10)) return Error::bad_transfer_encoding;
  return std::nullopt;
}

TrailerRule trailer_rule(std::string_view name) noexcept {
  for (const ForbiddenTrailer& forbidden : forbidden_trailers)
    if (is_named(name, forbidden.name)) return forbidden.rule;
  return is_named(name.substr(0, 12), "x-forwarded-") ? TrailerRule::drop : TrailerRule::keep;
}

}  // namespace h1
}  // namespace v0
}  // namespace gw
