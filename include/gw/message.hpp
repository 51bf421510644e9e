/// \file
/// Level 1: requests and responses. Classes, not aggregates: see `Task` about GCC 12.
#pragma once

#include <gw/body.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {

/// A request. Parsed from a client it consists of views into the connection's buffer, valid until
/// the request's last `done` hook; made by a program it owns its text. Move-only.
class Request {
 public:
  Request() noexcept = default;
  /// A request for origin-form `target`, e.g. `Request(Method::get, "/users/7?full=1")`. Throws
  /// std::invalid_argument if `target` does not start with "/" (or is not "*") or has a character
  /// outside visible ASCII, or a "#".
  GW_EXPORT Request(Method m, std::string_view target, Body content = {});
  /// Takes everything over; what was moved from has no target, path and query any more.
  Request(Request&& other) noexcept { *this = std::move(other); }
  Request& operator=(Request&& other) noexcept {
    method = other.method;
    version = other.version;
    headers = std::move(other.headers);
    body = std::move(other.body);
    arena_ = std::move(other.arena_);
    parts_ = std::exchange(other.parts_, {});
    return *this;
  }

  Method method = Method::get;
  Version version = Version::http11;
  Headers headers;
  Body body;

  /// Path and query as received, without scheme and authority: "/a/../b?x=1".
  std::string_view target() const noexcept { return parts_.target; }
  /// The path that was matched: normalised (docs/routing.md), still percent-encoded.
  std::string_view path() const noexcept { return parts_.path; }
  /// What follows the "?", without it; empty if there is none.
  std::string_view query() const noexcept { return parts_.query; }
  /// Whether there was a "?", even with nothing behind it.
  bool has_query() const noexcept { return parts_.has_query; }
  /// Host and port that the request is for: of an absolute-form target, else the Host field.
  std::string_view authority() const noexcept { return parts_.authority.empty() ? headers["host"] : parts_.authority; }
  /// "http" or "https": how the client came.
  std::string_view scheme() const noexcept { return "http"; }

  /// For codecs: the parts as views, which must outlive the request.
  void borrow_target(std::string_view target, std::string_view path, std::string_view query, bool has_query, std::string_view authority) noexcept {
    parts_ = {target, path, query, authority, has_query};
  }
  /// For codecs and the router: another path, a view that must outlive the request.
  void borrow_path(std::string_view path) noexcept { parts_.path = path; }
  /// For stages: another query, as part of another target; views, which must outlive the request.
  void borrow_query(std::string_view target, std::string_view query, bool has_query) noexcept {
    parts_.target = target;
    parts_.query = query;
    parts_.has_query = has_query;
  }
  /// Empties the request, keeping its memory for the next one.
  GW_EXPORT void clear() noexcept;

 private:
  detail::Arena arena_;
  struct Parts {
    std::string_view target, path, query, authority;
    bool has_query = false;
  };
  Parts parts_;
};

/// Text that is JSON already: `return gw::Json(R"({"id":7})");`
class Json {
 public:
  explicit Json(std::string text) noexcept : text_(std::move(text)) {}
  std::string& text() noexcept { return text_; }

 private:
  std::string text_;
};

/// A response. Move-only. What a handler returns converts to it: a status, a text
/// (`text/plain; charset=utf-8`), `gw::Json`.
class Response {
 public:
  Response() noexcept = default;
  // All constructors with a status throw std::invalid_argument if it is not in 200..599.

  /// Status without content; 400 and above get `{"message":"<reason phrase>"}`.
  GW_EXPORT Response(int status_code);
  GW_EXPORT Response(int status_code, std::string text);
  GW_EXPORT Response(std::string text);
  Response(std::string_view text) : Response(std::string(text)) {}
  Response(const char* text) : Response(std::string(text)) {}
  GW_EXPORT Response(Json json);
  GW_EXPORT Response(int status_code, Json json);
  /// `{"message":"<message>"}`, the form of every error that gw makes. `message` is UTF-8.
  GW_EXPORT static Response error(int status_code, std::string_view message);

  Response(Response&&) noexcept = default;
  Response& operator=(Response&&) noexcept = default;

  int status = 200;
  Headers headers;
  Body body;

  /// Empties the response, keeping its memory for the next one.
  GW_EXPORT void clear() noexcept;
};

}  // namespace v0
}  // namespace gw
