/// \file
/// Level 1: what the fields and the target of a head mean for framing and routing (RFC 9112). Plain
/// functions over text that the guard has passed. Std only.
#pragma once

#include <gw/error.hpp>
#include <gw/http.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace h1 {

/// How the end of a body is found (RFC 9112 6.3).
enum class Framing : std::uint8_t {
  none,         ///< there is no body
  length,       ///< Content-Length says how many bytes, maybe 0
  chunked,      ///< Transfer-Encoding: chunked
  until_close,  ///< a response that lasts as long as its connection
};

/// `is_named` for names of one length.
bool is_named_if_as_long(std::string_view name, std::string_view wanted) noexcept;

/// Whether a field called `name` is the field `wanted` to some reader: CGI, and servers made like it, cannot tell "_" from "-". Without case.
inline bool is_named(std::string_view name, std::string_view wanted) noexcept {
  // Asked for every field of a request, most of which differ in their length: that costs no call.
  return name.size() == wanted.size() && is_named_if_as_long(name, wanted);
}

/// Whether `text` is "host" or "host:port" and nothing else: no user, path, list or empty host
/// (RFC 9110 7.2, RFC 3986 3.2). The port is empty or up to 65535.
bool is_authority(std::string_view text) noexcept;

/// A request target taken apart; the views point into the text that was read, or live for ever.
struct Target {
  std::string_view text;       ///< origin-form, or "*"
  std::string_view path;
  std::string_view query;
  std::string_view authority;  ///< of an absolute-form target, else empty
  bool has_query = false;
};

/// Reads the target of a request with `method`: origin-form, absolute-form of http and https, or
/// "*" with OPTIONS (RFC 9112 3.2); nothing if it is none of them. `scratch` keeps the origin-form
/// of "http://host?query", which has no "/" to point at; it must live as long as the result.
std::optional<Target> read_target(Method method, std::string_view text, std::string& scratch);

/// What the fields of a head say about its connection and the end of its body.
class FramingFields {
 public:
  /// What `Connection` lists (RFC 9110 7.6.1).
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;

  /// Takes notice of a Connection field.
  void note_connection(std::string_view value);
  /// Takes notice of a Content-Length field: one number below 2^63, without zeros in front, once in a
  /// head. A list of equal values, which RFC 9112 6.3 would tolerate, is refused too: nothing sane
  /// sends it.
  std::optional<Error> note_content_length(std::string_view value) noexcept;
  /// Takes notice of a Transfer-Encoding field: exactly "chunked", once in a head. Other codings
  /// before a final "chunked" are `unsupported_transfer_coding`, everything else is malformed.
  std::optional<Error> note_transfer_encoding(std::string_view value) noexcept;
  /// What the fields forbid together: a length beside a transfer coding, or a transfer coding in
  /// HTTP/1.0 (RFC 9112 6.1).
  std::optional<Error> conflict(Version version) const noexcept;

  bool chunked() const noexcept { return chunked_; }
  std::optional<std::uint64_t> content_length() const noexcept { return content_length_; }
  /// Whether the connection may carry another message (RFC 9112 9.3).
  bool persistent(Version version) const noexcept { return !close && (version == Version::http11 || keep_alive); }

 private:
  bool note_option(std::string_view option) noexcept;

  std::optional<std::uint64_t> content_length_;
  bool chunked_ = false;
};

/// What to do with a trailer field.
enum class TrailerRule : std::uint8_t {
  keep,
  drop,    ///< it may not stand in trailers (RFC 9110 6.5.1): a response goes on without it, a request is refused
  refuse,  ///< it would frame or route another message: only an attack sends it
};

/// The rule for a trailer field called `name`.
TrailerRule trailer_rule(std::string_view name) noexcept;

}  // namespace h1
}  // namespace v0
}  // namespace gw
