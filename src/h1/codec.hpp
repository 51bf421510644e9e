/// \file
/// Level 1: HTTP/1.0 and 1.1 messages out of bytes (RFC 9112). No sockets: bytes come in, heads and
/// pieces of content go out, and what is left belongs to the next message.
///
/// A codec is made once per connection and reset for each message. Order of calls:
/// `reset`, `head` until it is not 0, `body` until `ended`. Once something has failed, the connection
/// cannot be understood any more: answer if possible, then close it.
#pragma once

#include "h1/content.hpp"
#include "h1/field_kind.hpp"
#include "h1/guard.hpp"
#include "h1/rules.hpp"

#include <gw/limits.hpp>
#include <gw/message.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace h1 {

/// Reads the requests of a client. Allocates nothing per request once its memory has grown to what
/// the connection needs. Neither copied nor moved; one thread.
///
/// Every failure has `Origin::client` and a code whose status says what was wrong.
class RequestCodec {
 public:
  explicit RequestCodec(const Limits& limits);

  /// Begins the next request. Ends the life of `trailers()` and of the request's target.
  void reset() noexcept;

  /// Reads the head at the start of `bytes`: everything received of this request so far, which may
  /// lie elsewhere in memory than in the last call. 0: more bytes are needed. Else the head takes so
  /// many bytes, and `request` was cleared and holds views into them (for a target like "http://h?q",
  /// into this codec): method, version, target, path as received, query, authority and fields.
  ///
  /// The Host field of an absolute-form request is replaced by the target's (RFC 9112 3.2.2). After
  /// a failure the content of `request` means nothing. Bytes of earlier calls are not read again,
  /// and bad ones are refused when they arrive, not when the head is complete.
  Result<std::size_t> head(std::string_view bytes, Request& request);

  /// How the body ends; never `until_close`.
  Framing framing() const noexcept { return content_.framing(); }
  /// The declared size, of `Framing::length`.
  std::uint64_t length() const noexcept { return content_.length(); }
  /// Whether another request may follow (RFC 9112 9.3).
  bool keep_alive() const noexcept { return fields_.persistent(version_); }
  /// Whether the client waits for "100 Continue" before it sends the body (RFC 9110 10.1.1). HTTP/1.0
  /// has no such wait, and a request without content does not need it.
  bool expects_continue() const noexcept { return expects_continue_; }
  /// Whether the client offers another protocol (RFC 9110 7.8). HTTP/1.1 only.
  bool wants_upgrade() const noexcept { return fields_.upgrade && has_upgrade_ && version_ == Version::http11; }

  /// Replaces `limits.body` for this request. Whether a declared length fits is not said by `head`, since only a
  /// route knows the limit, but by `body`.
  void limit_body(std::uint64_t limit) noexcept { content_.limit_body(limit); }
  /// The next piece of the body; `bytes` are received and not yet consumed, so those behind the head
  /// first. Consumes all of `bytes`, or returns content. What follows an end is not consumed.
  Result<BodyPiece> body(std::string_view bytes);
  /// The trailer fields, complete once `body` said ended; they live until `reset()`. Fields that
  /// cannot stand there were refused (RFC 9110 6.5.1).
  const Headers& trailers() const noexcept { return content_.trailers(); }

 private:
  std::optional<Error> read_head(std::string_view head, Request& request);
  std::optional<Error> read_start_line(std::string_view head, Request& request);
  std::optional<Error> read_fields(std::string_view head, Request& request);
  std::optional<Error> note_field(FieldKind kind, std::string_view name, std::string_view value);
  std::optional<Error> note_host(std::string_view value) noexcept;
  std::optional<Error> note_expectation(std::string_view value) noexcept;

  HeadGuard guard_;
  ContentReader content_;
  FramingFields fields_;
  Target target_;
  std::string target_text_;  ///< what `target_` cannot point at in the head
  std::string_view host_;
  Version version_ = Version::http11;
  bool has_host_ = false;
  bool has_upgrade_ = false;
  bool expects_continue_ = false;
};

/// Reads the responses of an upstream. Memory, threads and copies as `RequestCodec`.
///
/// Every failure has `Origin::upstream` and is `bad_response`, `response_too_large` (limits.head or
/// limits.fields), or `upstream_reset` for a response that is cut off. The size of a body is not
/// limited: it is passed on, not kept.
class ResponseCodec {
 public:
  explicit ResponseCodec(const Limits& limits);

  /// Begins the response to a request with `of_request`. Ends the life of `trailers()`.
  void reset(Method of_request) noexcept;
  /// Begins the next head for the same request, after an interim response (1xx).
  void next_head() noexcept { reset(of_request_); }

  /// Reads the head at the start of `bytes`, like `RequestCodec::head`: status and fields. A status
  /// below 200 is an interim response, a head of its own: go on with `next_head()`. After 101 the
  /// connection is not HTTP any more.
  Result<std::size_t> head(std::string_view bytes, Response& response);

  /// How the body ends. `none` for HEAD, 1xx, 204 and 304, whatever the fields say: a Content-Length
  /// there counts nothing (RFC 9112 6.3). A 1xx that announces content is refused, since the next
  /// response would follow on the same connection.
  Framing framing() const noexcept { return content_.framing(); }
  /// The declared size, of `Framing::length`.
  std::uint64_t length() const noexcept { return content_.length(); }
  /// Whether the connection may carry another response (RFC 9112 9.3). Not after a 204 that announces
  /// content, which it must not (RFC 9110 8.6): nobody knows whether some will come.
  bool keep_alive() const noexcept;
  /// The version in the status line.
  Version version() const noexcept { return version_; }

  /// The next piece of the body, like `RequestCodec::body`.
  Result<BodyPiece> body(std::string_view bytes);
  /// Says that the upstream closed. Success if the body had ended, or lasts until then; afterwards
  /// `body` says ended.
  Result<> end_of_input() noexcept;
  /// The trailer fields, complete once `body` said ended; they live until `reset()`. Fields that
  /// cannot stand there were dropped, framing fields refused (RFC 9110 6.5.1).
  const Headers& trailers() const noexcept { return content_.trailers(); }

 private:
  std::optional<Error> read_head(std::string_view head, Response& response);
  Framing find_framing() const noexcept;
  bool announces_content() const noexcept { return fields_.chunked() || fields_.content_length().value_or(0) > 0; }

  HeadGuard guard_;
  ContentReader content_;
  FramingFields fields_;
  Method of_request_ = Method::get;
  Version version_ = Version::http11;
  int status_ = 0;
  bool head_complete_ = false;
};

/// Appends the head of a chunk with `size` bytes: "1a\r\n". Size 0 begins the end of a body: "0\r\n",
/// trailers, "\r\n" (RFC 9112 7.1).
void append_chunk_head(std::string& out, std::uint64_t size);

}  // namespace h1
}  // namespace v0
}  // namespace gw
