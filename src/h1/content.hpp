/// \file
/// Level 1: the body of a message, cut out of the bytes that carry it (RFC 9112 6 and 7).
#pragma once

#include "h1/guard.hpp"
#include "h1/parser.hpp"

#include <gw/http.hpp>
#include <gw/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace h1 {

/// One step of reading a body.
struct BodyPiece {
  std::size_t consumed = 0;   ///< bytes of the input that are done with, framing included
  std::string_view content{}; ///< a view into the input; empty and not `ended`: more bytes are needed
  bool ended = false;         ///< nothing follows `content`; the message is complete
};

/// Passes the head of a chunk, "1a;name=value\r\n" (RFC 9112 7.1): 1 to 16 digits directly followed
/// by CRLF or by extensions in the exact grammar. Only digits and CRLF go on to llhttp, which
/// computes the size, so that no version's reading of extensions matters.
class ChunkHeadGuard {
 public:
  /// Takes one byte; whether it is allowed there. Begins a new head after an end by itself.
  [[nodiscard]] bool take(char c) noexcept;
  /// Whether the last byte ended the head.
  bool at_end() const noexcept { return state_ == State::done; }
  /// Whether the last byte belongs to the digits or to the line end.
  bool is_size() const noexcept { return state_ <= State::line_end || state_ == State::done; }

 private:
  enum class State : std::uint8_t {
    size, line_end, name_start, name, value_start, value, quoted, escaped, after_quoted, done,
  };
  bool take_separator(char c) noexcept;

  State state_ = State::done;
  std::uint8_t digits_ = 0;
};

/// Reads the body of one message after the other. Stays where it was made: `trailers()` points into
/// it. One thread.
class ContentReader {
 public:
  /// `body_limit` bounds the content, see `limit_body`; the trailers are bound by `limits.trailers` and
  /// `limits.fields`, the extensions of all chunks by `limits.chunk_extensions` (RFC 9112 7.1.1 asks for a bound).
  ContentReader(Parser::Kind kind, const Limits& limits, std::uint64_t body_limit);
  ContentReader(const ContentReader&) = delete;
  ContentReader& operator=(const ContentReader&) = delete;

  /// Forgets the message and a limit of its own; keeps memory.
  void reset() noexcept;

  /// Begins the body that belongs to `head`, of which `guard` found the end. llhttp reads chunks, so it sees the head of a message that
  /// has some. Errors: `malformed_request` if it does not accept that head, or frames it otherwise.
  std::optional<Error> start(const HeadGuard& guard, std::string_view head, Framing framing, std::uint64_t length) noexcept;

  /// Replaces the limit of the body that has begun: `read` fails with `body_too_large` at a declared length or the head of a chunk
  /// that passes it.
  void limit_body(std::uint64_t limit) noexcept { body_limit_ = limit; }

  /// The next piece of `bytes`, which are received and not yet consumed. Consumes all of them or
  /// returns content. Errors: `bad_chunk`, `chunk_extensions_too_large`, `bad_trailer`, `body_too_large`,
  /// `trailers_too_large`, `too_many_fields` (trailers);
  /// they come after the content before them, of which the bytes that are wrong are left,
  /// and stay.
  std::optional<Error> read(std::string_view bytes, BodyPiece& piece);

  Framing framing() const noexcept { return framing_; }
  std::uint64_t length() const noexcept { return length_; }
  bool has_ended() const noexcept { return state_ == State::ended; }
  /// Says that the connection closed; whether that may end this body. Then it has ended.
  bool end_of_input() noexcept;
  /// The trailer fields, views into this object until `reset()`.
  const Headers& trailers() const noexcept { return trailers_; }

 private:
  enum class State : std::uint8_t { counted, until_close, chunk_head, chunk_data, chunk_end, trailers, ended };

  bool show_head(const HeadGuard& guard, std::string_view head) noexcept;
  void read_chunk_head(std::string_view bytes, BodyPiece& piece) noexcept;
  void begin_chunk() noexcept;
  void read_chunk_end(std::string_view bytes, BodyPiece& piece) noexcept;
  void take_content(std::string_view bytes, BodyPiece& piece) noexcept;
  void read_trailers(std::string_view bytes, BodyPiece& piece);
  void collect_trailers();
  void refuse(Error error) noexcept { error_ = error; }

  Parser parser_;
  HeadGuard trailer_guard_;
  ChunkHeadGuard chunk_guard_;
  State state_ = State::ended;
  Framing framing_ = Framing::none;
  std::uint64_t length_ = 0;
  std::uint64_t left_ = 0;     ///< bytes of content still to come, of the body or of the chunk
  std::uint64_t counted_ = 0;  ///< bytes of all chunks so far
  std::uint64_t extensions_ = 0;  ///< and of their extensions
  std::size_t line_end_seen_ = 0;  ///< bytes of the CRLF behind a chunk
  const bool is_request_;
  const std::uint64_t usual_body_limit_;
  std::uint64_t body_limit_;
  std::size_t trailer_limit_;
  std::size_t extension_limit_;
  std::string trailer_text_;
  Headers trailers_;
  std::optional<Error> error_;
};

}  // namespace h1
}  // namespace v0
}  // namespace gw
