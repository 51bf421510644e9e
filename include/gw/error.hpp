/// \file
/// Level 0: the three kinds of error.
///
/// 1. *Setup*: `ConfigError`, thrown once, listing every `Problem` with its place.
/// 2. *Traffic*: `std::error_code` and `Result<T>` / `Failure`. The data plane never throws.
/// 3. *Bugs*: `GW_ASSERT` aborts with the place.
///
/// Which failure gives the client which status is one table: src/error.cpp and docs/errors.md.
#pragma once

#include <gw/version.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

/// Aborts with expression, file and line when a promise of the code is broken. Always on: a
/// gateway that goes on after a bug may mix up two clients.
#define GW_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ::gw::detail::assertion_failed(#expression, __FILE__, __LINE__))

namespace gw {
inline namespace v0 {

/// What can go wrong with traffic; values of the category "gw". `status_of()` maps each to the
/// status that the client sees. The groups follow `Origin`.
enum class Error {
  // The client's message or behaviour.
  malformed_request = 1,     ///< 400, breaks RFC 9112 in a way not named below
  bad_line_end,              ///< 400, a bare CR or LF in the head (RFC 9112 2.2)
  bad_request_line,          ///< 400, RFC 9112 3
  bad_target,                ///< 400, RFC 9112 3.2
  bad_path,                  ///< 400, %00, control, backslash or broken escape in the path
  bad_field,                 ///< 400, field name or value outside the grammar, or folded (RFC 9112 5)
  bad_host,                  ///< 400, no, several or invalid Host (RFC 9112 3.2)
  bad_content_length,        ///< 400, RFC 9112 6.2
  bad_transfer_encoding,     ///< 400, not exactly one "chunked", or beside Content-Length (RFC 9112 6.1)
  unexpected_content,        ///< 400, HEAD or TRACE with content (RFC 9110 9.3.2, 9.3.8)
  bad_chunk,                 ///< 400, chunk size, extension or end of chunk (RFC 9112 7.1)
  bad_trailer,               ///< 400, RFC 9112 7.1.2
  unknown_method,            ///< 501, RFC 9110 9.1
  unsupported_transfer_coding,  ///< 501, RFC 9112 6.1
  unsupported_version,       ///< 505, anything but HTTP/1.0 and HTTP/1.1
  unsupported_expectation,   ///< 417, RFC 9110 10.1.1
  unsupported_websocket,     ///< 426, RFC 6455 4.4
  head_too_large,            ///< 431, limits.head
  too_many_fields,           ///< 431, limits.fields
  trailers_too_large,        ///< 431, limits.trailers
  chunk_extensions_too_large,  ///< 400, limits.chunk_extensions (RFC 9112 7.1.1)
  target_too_long,           ///< 414, limits.target
  body_too_large,            ///< 413, limits.body
  client_timeout,            ///< 408, timeouts.client_header or client_body, limits.body_rate
  client_gone,               ///< 499 in logs; nobody is left to read a status
  // The gateway itself.
  no_route,                  ///< 404
  method_not_allowed,        ///< 405 with Allow
  unauthorized,              ///< 401 with WWW-Authenticate, no or wrong credentials
  forbidden,                 ///< 403, this client may not
  rate_limited,              ///< 429 with Retry-After
  handler_failed,            ///< 500, user code threw or did not answer
  overloaded,                ///< 503, limits.connections or connections_per_client
  out_of_descriptors,        ///< 503, the process may not open another connection
  loop_detected,             ///< 508, our own pseudonym is in Via
  stopped,                   ///< 503, the gateway stopped before the request could run
  // The upstream.
  no_endpoint,               ///< 503
  dns_failed,                ///< 503
  upstream_busy,             ///< 503, a cap of the pool, or of requests and their queue
  circuit_open,              ///< 503, the upstream failed too often of late
  connect_failed,            ///< 502
  connect_timeout,           ///< 504
  upstream_reset,            ///< 502, closed or reset before the response was complete
  upstream_timeout,          ///< 504, first_byte or body
  bad_response,              ///< 502, the response breaks RFC 9112
  response_too_large,        ///< 502, its head passes limits.head
  tunnel_timeout,            ///< 504 in logs, timeouts.tunnel; a tunnel has no status any more
};

/// The category of `Error`; its name is "gw". Thread-safe.
GW_EXPORT const std::error_category& gw_category() noexcept;

/// Lets `std::error_code e = Error::no_route;` work.
inline std::error_code make_error_code(Error e) noexcept { return {static_cast<int>(e), gw_category()}; }

/// The status that a client sees for `code`: 400..599 for values of `Error`, 502 for any other
/// code (those come from the socket to an upstream). Never throws.
GW_EXPORT int status_of(const std::error_code& code) noexcept;

/// The name of `code` in logs, metrics and docs/errors.md: "no_route" for `Error::no_route`, "system"
/// for a code that is not gw's. Lives for ever.
GW_EXPORT std::string_view name_of(const std::error_code& code) noexcept;

/// The sentence that a client sees for `code`, as in `{"message": "..."}`. Lives for ever.
GW_EXPORT std::string_view message_of(const std::error_code& code) noexcept;

/// Who caused a failure.
enum class Origin { client, gateway, upstream };

/// Whether trying again may help, and where.
enum class Retry {
  no,       ///< the same would happen again, or the request may have had an effect
  fresh,    ///< a reused connection was stale: once, on a new connection
  another,  ///< nothing was sent: any endpoint may be tried
};

/// Why an operation of the data plane did not succeed. A value; copy it freely.
struct Failure {
  std::error_code code;
  Origin origin = Origin::gateway;
  Retry retry = Retry::no;

  Failure(std::error_code c, Origin o = Origin::gateway, Retry r = Retry::no) noexcept : code(c), origin(o), retry(r) {}
  Failure(Error e, Origin o = Origin::gateway, Retry r = Retry::no) noexcept : Failure(make_error_code(e), o, r) {}
};

namespace detail {
[[noreturn]] inline void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "gw: %s:%d: assertion failed: %s\n", file, line, expression);
  std::abort();
}
}

/// A value or a `Failure`; the member names are those of C++23 `std::expected`.
template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) noexcept : state_(std::in_place_index<1>, failure) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// The value; asserts that there is one.
  T& value() & { return GW_ASSERT(has_value()), std::get<0>(state_); }
  const T& value() const& { return GW_ASSERT(has_value()), std::get<0>(state_); }
  T&& value() && { return GW_ASSERT(has_value()), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  /// The failure; asserts that there is one.
  const Failure& error() const { return GW_ASSERT(!has_value()), std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

/// Success without a value, or a `Failure`.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() noexcept = default;
  Result(Failure failure) noexcept : failure_(failure) {}

  bool has_value() const noexcept { return !failure_; }
  explicit operator bool() const noexcept { return has_value(); }
  /// The failure; asserts that there is one.
  const Failure& error() const { return GW_ASSERT(failure_.has_value()), *failure_; }

 private:
  std::optional<Failure> failure_;
};

/// Where something was configured: a position in a file, and the path of the value in the
/// configuration. Lines and columns count from 1; 0 means "not from a file".
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  std::string path;  ///< e.g. "routes[2].forward"

  friend bool operator==(const Place&, const Place&) = default;
};

/// One thing that is wrong with a configuration.
struct Problem {
  Place place;
  std::string what;  ///< e.g. `no upstream is named "baz" (did you mean "bar"?)`

  /// "gw.yaml:12:5: routes[2].forward: no upstream is named ..."; parts that are unknown are left out.
  std::string text() const {
    std::string t;
    if (!place.file.empty()) t += place.file + ':';
    if (place.line > 0) t += std::to_string(place.line) + ':' + std::to_string(place.column) + ':';
    if (!t.empty()) t += ' ';
    if (!place.path.empty()) t += place.path + ": ";
    return t + what;
  }
};

/// Every problem of one configuration.
using Problems = std::vector<Problem>;

/// Thrown by setup (building, `from_file`, `start`, `apply`), never by traffic. `what()` is one
/// line per problem.
class GW_EXPORT ConfigError : public std::runtime_error {
 public:
  explicit ConfigError(Problems problems) : std::runtime_error(lines(problems)), problems_(std::move(problems)) {}
  /// One problem without a place.
  explicit ConfigError(std::string what) : ConfigError(Problems{Problem{Place{}, std::move(what)}}) {}

  const Problems& problems() const noexcept { return problems_; }

 private:
  static std::string lines(const Problems& problems) {
    std::string all;
    for (const Problem& p : problems) all += (all.empty() ? "" : "\n") + p.text();
    return all;
  }
  Problems problems_;
};

}  // namespace v0
}  // namespace gw

template <>
struct std::is_error_code_enum<gw::Error> : std::true_type {};
