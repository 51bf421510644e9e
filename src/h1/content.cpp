#include "h1/content.hpp"

#include <algorithm>
#include <utility>

namespace gw {
inline namespace v0 {
namespace h1 {

namespace {

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_tchar(char c) noexcept { return detail::token_characters[static_cast<unsigned char>(c)]; }
bool is_text(char c) noexcept { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }

/// Whether a field may be one of those that llhttp acts on: upgrade, connection, content-length, proxy-connection and
/// transfer-encoding. Their lengths tell them from most others.
bool may_frame(const FieldSpan& field) noexcept {
  switch (field.name.size()) {
    case 7: case 10: case 14: case 16: case 17: return true;
    default: return false;
  }
}

/// More digits than any 64 bit size has.
constexpr int chunk_size_digits = 16;

}  // namespace

bool ChunkHeadGuard::take(char c) noexcept {
  if (state_ == State::done) {
    state_ = State::size;
    digits_ = 0;
  }
  switch (state_) {
    case State::size:
      if (is_hex(c)) return ++digits_ <= chunk_size_digits;
      return digits_ > 0 && take_separator(c);
    case State::name_start:
      state_ = State::name;
      return is_tchar(c);
    case State::name:
      if (is_tchar(c)) return true;
      if (c != '=') return take_separator(c);
      state_ = State::value_start;
      return true;
    case State::value_start:
      state_ = c == '"' ? State::quoted : State::value;
      return c == '"' || is_tchar(c);
    case State::value: return is_tchar(c) || take_separator(c);
    case State::quoted:
      if (c == '"') state_ = State::after_quoted;
      else if (c == '\\') state_ = State::escaped;
      return is_text(c);
    case State::escaped:
      state_ = State::quoted;
      return is_text(c);
    case State::after_quoted: return take_separator(c);
    case State::line_end:
      state_ = State::done;
      return c == '\n';
    case State::done: break;
  }
  return false;
}

bool ChunkHeadGuard::take_separator(char c) noexcept {
  state_ = c == '\r' ? State::line_end : State::name_start;
  return c == '\r' || c == ';';
}

ContentReader::ContentReader(Parser::Kind kind, const Limits& limits, std::uint64_t body_limit)
    : parser_(kind),
      trailer_guard_(HeadGuard::Kind::trailers, limits),
      is_request_(kind == Parser::Kind::request),
      usual_body_limit_(body_limit),
      body_limit_(body_limit),
      trailer_limit_(limits.trailers),
      extension_limit_(limits.chunk_extensions) {}

void ContentReader::reset() noexcept {
  chunk_guard_ = {};
  state_ = State::ended;
  framing_ = Framing::none;
  length_ = left_ = counted_ = extensions_ = 0;
  line_end_seen_ = 0;
  body_limit_ = usual_body_limit_;
  error_.reset();
  // Few messages have trailers; the others need not touch this memory.
  if (trailer_text_.empty()) return;
  trailer_guard_.reset();
  trailer_text_.clear();
  trailers_.clear();
}

/// Shows llhttp the start line and the fields that frame the message. The guard has read every byte of the others.
bool ContentReader::show_head(const HeadGuard& guard, std::string_view head) noexcept {
  std::size_t from = guard.start();
  const auto feed_to = [&](std::size_t end) { return from == end || parser_.feed(head.substr(from, end - from)); };
  const auto& fields = guard.fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (may_frame(fields[i])) continue;
    if (!feed_to(fields[i].name.begin)) return false;
    const bool is_last = i + 1 == fields.size();
    from = is_last ? head.size() - std::string_view("\r\n").size() : fields[i + 1].name.begin;
  }
  return feed_to(head.size());
}

std::optional<Error> ContentReader::start(const HeadGuard& guard, std::string_view head, Framing framing, std::uint64_t length) noexcept {
  framing_ = framing;
  length_ = left_ = length;
  if (framing == Framing::chunked) {
    parser_.reset();
    parser_.expect(framing, length);
    if (!show_head(guard, head) || !parser_.has_accepted_head()) return Error::malformed_request;
  }
  switch (framing) {
    case Framing::none: state_ = State::ended; break;
    case Framing::length: state_ = length > 0 ? State::counted : State::ended; break;
    case Framing::chunked: state_ = State::chunk_head; break;
    case Framing::until_close: state_ = State::until_close; break;
  }
  return std::nullopt;
}

std::optional<Error> ContentReader::read(std::string_view bytes, BodyPiece& piece) {
  piece = {};
  if (length_ > body_limit_) refuse(Error::body_too_large);
  // Framing behind a piece of content is read with it, so that the last piece is known as such;
  // an error there waits until the content is delivered.
  while (!error_ && state_ != State::ended && piece.consumed < bytes.size()) {
    const std::string_view rest = bytes.substr(piece.consumed);
    const std::size_t before = piece.consumed;
    switch (state_) {
      case State::counted:
      case State::until_close:
      case State::chunk_data:
        if (!piece.content.empty()) return std::nullopt;
        take_content(rest, piece);
        break;
      case State::chunk_head:
        read_chunk_head(rest, piece);
        break;
      case State::chunk_end: read_chunk_end(rest, piece); break;
      case State::trailers: read_trailers(rest, piece); break;
      case State::ended: break;
    }
    // The caller asks again as long as bytes are left.
    if (error_ && before > 0) piece.consumed = before;
  }
  piece.ended = state_ == State::ended;
  return piece.content.empty() ? error_ : std::nullopt;
}

bool ContentReader::end_of_input() noexcept {
  if (state_ == State::until_close) state_ = State::ended;
  return state_ == State::ended;
}

void ContentReader::take_content(std::string_view bytes, BodyPiece& piece) noexcept {
  const bool counted = state_ != State::until_close;
  const std::size_t size = counted ? static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_)) : bytes.size();
  piece.content = bytes.substr(0, size);
  piece.consumed += size;
  if (!counted) return;
  left_ -= size;
  if (state_ == State::chunk_data) {
    if (!parser_.feed(piece.content)) return refuse(Error::bad_chunk);
    if (left_ == 0) state_ = State::chunk_end;
  } else if (left_ == 0) {
    state_ = State::ended;
  }
}

void ContentReader::read_chunk_head(std::string_view bytes, BodyPiece& piece) noexcept {
  std::size_t i = 0;
  std::size_t fed = 0;
  do {
    if (!chunk_guard_.take(bytes[i])) return refuse(Error::bad_chunk);
    if (!chunk_guard_.is_size()) {
      // gw drops extensions: more of them than content would be free work for a sender.
      if (++extensions_ > extension_limit_ + counted_) return refuse(Error::chunk_extensions_too_large);
      if (fed < i && !parser_.feed(bytes.substr(fed, i - fed))) return refuse(Error::bad_chunk);
      fed = i + 1;
    }
    ++i;
  } while (i < bytes.size() && !chunk_guard_.at_end());
  piece.consumed += i;
  if (fed < i && !parser_.feed(bytes.substr(fed, i - fed))) return refuse(Error::bad_chunk);
  if (chunk_guard_.at_end()) begin_chunk();
}

void ContentReader::begin_chunk() noexcept {
  const auto size = parser_.take_chunk_size();
  if (!size) return refuse(Error::bad_chunk);
  if (counted_ > body_limit_ || *size > body_limit_ - counted_) return refuse(Error::body_too_large);
  counted_ += *size;
  left_ = *size;
  state_ = left_ > 0 ? State::chunk_data : State::trailers;
}

/// The CRLF behind the data of a chunk; a byte too many or too few is a second message to somebody.
void ContentReader::read_chunk_end(std::string_view bytes, BodyPiece& piece) noexcept {
  constexpr std::string_view line_end = "\r\n";
  const std::size_t size = std::min(bytes.size(), line_end.size() - line_end_seen_);
  if (bytes.substr(0, size) != line_end.substr(line_end_seen_, size)) return refuse(Error::bad_chunk);
  if (!parser_.feed(bytes.substr(0, size))) return refuse(Error::bad_chunk);
  piece.consumed += size;
  line_end_seen_ += size;
  if (line_end_seen_ < line_end.size()) return;
  line_end_seen_ = 0;
  state_ = State::chunk_head;
}

/// Keeps the trailer section until it is complete and guarded; only then llhttp sees it.
void ContentReader::read_trailers(std::string_view bytes, BodyPiece& piece) {
  constexpr std::string_view nothing = "\r\n";
  if (trailer_text_.empty() && bytes.substr(0, nothing.size()) == nothing) {
    if (!parser_.feed(nothing) || !parser_.is_complete()) return refuse(Error::bad_trailer);
    piece.consumed += nothing.size();
    state_ = State::ended;
    return;
  }
  const std::size_t before = trailer_text_.size();
  trailer_text_.append(bytes.substr(0, trailer_limit_ - std::min(trailer_limit_, before)));
  const HeadGuard::Scan scan = trailer_guard_.scan(trailer_text_);
  if (scan.error == Error::head_too_large) return refuse(Error::trailers_too_large);
  if (scan.error) return refuse(*scan.error == Error::too_many_fields ? *scan.error : Error::bad_trailer);
  piece.consumed += (scan.end > 0 ? scan.end : trailer_text_.size()) - before;
  if (scan.end == 0) return;
  trailer_text_.resize(scan.end);
  collect_trailers();
}

void ContentReader::collect_trailers() {
  for (const FieldSpan& field : trailer_guard_.fields()) {
    const std::string_view name = field.name.of(trailer_text_);
    const TrailerRule rule = trailer_rule(name);
    if (rule == TrailerRule::refuse || (rule == TrailerRule::drop && is_request_)) return refuse(Error::bad_trailer);
    if (rule == TrailerRule::keep) trailers_.borrow(name, field.value.of(trailer_text_));
  }
  if (!parser_.feed(trailer_text_) || !parser_.is_complete()) return refuse(Error::bad_trailer);
  state_ = State::ended;
}

}  // namespace h1
}  // namespace v0
}  // namespace gw
