/// \file
/// Level 1: the framing guard. It reads a head (or a trailer section) byte by byte, each byte once,
/// refuses what RFC 9112 forbids as soon as it is seen, and remembers where the parts are.
///
/// It exists because the versions of llhttp in use differ in what they let through: a bare LF, a
/// folded field, a space before the colon. What two parsers read differently is how requests are
/// smuggled (RFC 9112 11.2), so nothing reaches llhttp, or an upstream, that this file did not read.
#pragma once

#include <gw/error.hpp>
#include <gw/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace h1 {

/// Where a part of a head is: offsets from its first byte, which stay true when the buffer moves.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  std::uint32_t size() const noexcept { return end - begin; }
  /// The part itself; `bytes` is what was scanned.
  std::string_view of(std::string_view bytes) const noexcept { return {bytes.data() + begin, size()}; }
};

/// Where a field is; the value has no white space around it (RFC 9112 5.1).
struct FieldSpan {
  Span name;
  Span value;
};

/// Scans one head after the other. Keeps its memory, so a warm guard does not allocate. One thread.
class HeadGuard {
 public:
  /// What stands before the fields.
  enum class Kind : std::uint8_t { request, response, trailers };

  /// What a scan found: where the head ends (0: not yet), or why it is refused.
  struct Scan {
    std::size_t end = 0;
    std::optional<Error> error;
  };

  /// Bounds of a head: `limits.head`, of trailers `limits.trailers`; `limits.fields` and `limits.target`.
  HeadGuard(Kind kind, const Limits& limits);

  /// Begins a new head.
  void reset() noexcept;

  /// Goes on with `bytes`: everything received of this head, of which the part that was there in
  /// the last call is not read again (but for its last line, at most once more). Call `reset()` after an end; after an error it stays.
  ///
  /// Errors of a request: malformed ones name the part; `head_too_large`, `too_many_fields` and `target_too_long` come
  /// with the first byte too many; `unknown_method` as soon as the method is longer than any;
  /// `unsupported_version` for well-formed versions other than 1.0 and 1.1. A response has the same
  /// ones, with `bad_response` for its status line. Never throws but std::bad_alloc.
  Scan scan(std::string_view bytes);

  // The parts; complete once `scan` found the end.

  /// Where the start line begins: behind one empty line that a client may send (RFC 9112 2.2).
  std::size_t start() const noexcept { return start_; }
  Span method() const noexcept { return method_; }
  Span target() const noexcept { return target_; }
  /// 0 or 1, of HTTP/1.x.
  int minor_version() const noexcept { return minor_version_; }
  /// 100..599.
  int status() const noexcept { return status_; }
  const std::vector<FieldSpan>& fields() const noexcept { return fields_; }

 private:
  enum class State : std::uint8_t {
    start, blank_line_end, method, target, version, status, status_end, reason, line_end,
    field, name, value_start, value, value_end, head_end, done,
  };

  State first_state() const noexcept;
  std::size_t step(std::string_view bytes, std::size_t i, std::size_t window);
  std::size_t read_start_line(std::string_view bytes, std::size_t window);
  std::size_t read_method(std::string_view bytes, std::size_t i, std::size_t window);
  std::size_t read_target(std::string_view bytes, std::size_t i, std::size_t window);
  std::size_t read_version(std::string_view bytes, std::size_t i, std::size_t window);
  void read_version(char c);
  void read_status(char c);
  void read_status_end(char c);
  std::size_t read_fields(std::string_view bytes, std::size_t i, std::size_t window);
  void begin_field(char c, std::size_t i);
  std::size_t read_name(std::string_view bytes, std::size_t i, std::size_t window);
  std::size_t read_value(std::string_view bytes, std::size_t i, std::size_t window);
  void expect_line_feed(char c, State next);
  void refuse(Error error) noexcept { error_ = error; }
  void refuse_at(char c, Error error) noexcept { refuse(c == '\n' ? Error::bad_line_end : error); }

  Kind kind_;
  State state_;
  std::uint8_t position_ = 0;  ///< in the version or the status
  char major_version_ = 0;
  int minor_version_ = 0;
  int status_ = 0;
  std::size_t head_limit_;
  std::size_t target_limit_;
  std::size_t field_limit_;
  std::size_t seen_ = 0;
  std::size_t start_ = 0;
  Span method_, target_;
  FieldSpan field_;
  std::vector<FieldSpan> fields_;
  std::optional<Error> error_;
};

}  // namespace h1
}  // namespace v0
}  // namespace gw
