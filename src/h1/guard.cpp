#include "h1/guard.hpp"

#include <gw/http.hpp>

#include <algorithm>
#include <array>
#include <bit>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gw {
inline namespace v0 {
namespace h1 {

namespace {

/// Longer than any method that gw knows; RFC 9112 3 wants 501 for those.
constexpr std::size_t method_limit = 32;

/// Offsets are 32 bits wide; a head near that size is an attack whatever the limits say.
constexpr std::size_t offset_limit = std::size_t{1} << 31;

enum Class : std::uint8_t { token_byte = 1, target_byte = 2, value_byte = 4 };

/// Which parts of a head a byte may stand in: tchar (RFC 9110 5.6.2); visible ASCII without "#",
/// which ends a URI before its fragment (RFC 9112 3.2); field-value bytes (RFC 9110 5.5).
constexpr auto classes = [] {
  std::array<std::uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const auto i = static_cast<std::size_t>(c);
    if (detail::token_characters[i]) table[i] |= token_byte;
    if (c > 0x20 && c < 0x7f && c != '#') table[i] |= target_byte;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) table[i] |= value_byte;
  }
  return table;
}();

bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

bool is(char c, Class wanted) noexcept { return (classes[static_cast<unsigned char>(c)] & wanted) != 0; }

/// The first place from `i` on, before `end`, whose byte is not of `wanted`; `end` if all are.
std::size_t skip(std::string_view bytes, std::size_t i, std::size_t end, Class wanted) noexcept {
  const char* const text = bytes.data();
  // Most bytes of a head pass through here: four per turn take half the time of one.
  for (; i + 4 <= end; i += 4) {
    if (!is(text[i], wanted)) return i;
    if (!is(text[i + 1], wanted)) return i + 1;
    if (!is(text[i + 2], wanted)) return i + 2;
    if (!is(text[i + 3], wanted)) return i + 3;
  }
  while (i < end && is(text[i], wanted)) ++i;
  return i;
}

#ifdef __SSE2__
/// Sixteen bytes at a time, where the processor can: bit i tells of byte i.
__m128i sixteen(const char* text) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text)); }
unsigned bits(__m128i bytes) noexcept { return static_cast<unsigned>(_mm_movemask_epi8(bytes)); }

/// Which bytes are neither letters nor "-": names of fields rarely have others.
unsigned unusual_in_name(const char* text) noexcept {
  const __m128i bytes = sixteen(text);
  const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
  const __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)), _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
  return bits(_mm_or_si128(letters, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')))) ^ 0xffff;
}

/// Which bytes are controls or DEL.
unsigned controls(const char* text) noexcept {
  const __m128i bytes = sixteen(text);
  const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  return bits(_mm_or_si128(low, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f))));
}

/// `skip` that passes what is usual quickly: `unusual` tells which of sixteen bytes must be looked at.
template <class F>
std::size_t skip_usual(std::string_view bytes, std::size_t i, std::size_t end, Class wanted, F unusual) noexcept {
  while (i + 16 <= end) {
    const unsigned marks = unusual(bytes.data() + i);
    if (marks == 0) {
      i += 16;
      continue;
    }
    i += static_cast<std::size_t>(std::countr_zero(marks));
    if (!is(bytes[i], wanted)) return i;
    ++i;
  }
  return skip(bytes, i, end, wanted);
}

std::size_t skip_name(std::string_view bytes, std::size_t i, std::size_t end) noexcept {
  return skip_usual(bytes, i, end, token_byte, unusual_in_name);
}
std::size_t skip_value(std::string_view bytes, std::size_t i, std::size_t end) noexcept {
  return skip_usual(bytes, i, end, value_byte, controls);
}
#else
std::size_t skip_name(std::string_view bytes, std::size_t i, std::size_t end) noexcept { return skip(bytes, i, end, token_byte); }
std::size_t skip_value(std::string_view bytes, std::size_t i, std::size_t end) noexcept { return skip(bytes, i, end, value_byte); }
#endif

std::uint32_t offset(std::size_t i) noexcept { return static_cast<std::uint32_t>(i); }

}  // namespace

HeadGuard::HeadGuard(Kind kind, const Limits& limits)
    : kind_(kind),
      state_(first_state()),
      head_limit_(std::min(kind == Kind::trailers ? limits.trailers : limits.head, offset_limit)),
      target_limit_(std::min(limits.target, offset_limit)),
      field_limit_(limits.fields) {}

HeadGuard::State HeadGuard::first_state() const noexcept {
  switch (kind_) {
    case Kind::request: return State::start;
    case Kind::response: return State::version;
    case Kind::trailers: break;
  }
  return State::field;
}

void HeadGuard::reset() noexcept {
  state_ = first_state();
  position_ = 0;
  status_ = 0;
  seen_ = 0;
  start_ = 0;
  fields_.clear();
  error_.reset();
}

HeadGuard::Scan HeadGuard::scan(std::string_view bytes) {
  const std::size_t window = std::min(bytes.size(), head_limit_);
  if (seen_ == 0) seen_ = read_start_line(bytes, window);
  while (seen_ < window && state_ != State::done && !error_) seen_ = step(bytes, seen_, window);
  if (state_ == State::done) return {seen_, std::nullopt};
  if (!error_ && seen_ >= head_limit_) refuse(Error::head_too_large);
  return {0, error_};
}

/// Reads at least one byte at `i`; where to go on.
std::size_t HeadGuard::step(std::string_view bytes, std::size_t i, std::size_t window) {
  const char c = bytes[i];
  switch (state_) {
    case State::start:
      if (c == '\r') {
        state_ = State::blank_line_end;
        return i + 1;
      }
      state_ = State::method;
      method_.begin = offset(i);
      return i;
    case State::blank_line_end:
      start_ = i + 1;
      method_.begin = offset(i + 1);
      expect_line_feed(c, State::method);
      return i + 1;
    case State::method: return read_method(bytes, i, window);
    case State::target: return read_target(bytes, i, window);
    case State::version: return read_version(bytes, i, window);
    case State::status: read_status(c); return i + 1;
    case State::status_end: read_status_end(c); return i + 1;
    case State::reason:
      i = skip_value(bytes, i, window);
      if (i == window) return i;
      if (bytes[i] == '\r') state_ = State::line_end;
      else refuse_at(bytes[i], Error::bad_response);
      return i + 1;
    case State::line_end: expect_line_feed(c, State::field); return i + 1;
    case State::field:
      if (const std::size_t next = read_fields(bytes, i, window); next > i) return next;
      begin_field(c, i);
      return i + 1;
    case State::name: return read_name(bytes, i, window);
    case State::value_start:
      if (is_space(c)) return i + 1;
      field_.value.begin = offset(i);
      state_ = State::value;
      return i;
    case State::value: return read_value(bytes, i, window);
    case State::value_end: expect_line_feed(c, State::field); return i + 1;
    case State::head_end: expect_line_feed(c, State::done); return i + 1;
    case State::done: break;
  }
  return i;
}

/// Takes a start line of HTTP/1.1 that is there as a whole and right, without the states between its parts: nearly all are. Where the
/// fields begin; 0 leaves it to the states, which say what is wrong with it.
std::size_t HeadGuard::read_start_line(std::string_view bytes, std::size_t window) {
  constexpr std::string_view version = "HTTP/1.1 ";
  constexpr std::string_view rest = " HTTP/1.1\r\n";
  const std::string_view head = bytes.substr(0, window);
  if (kind_ == Kind::request) {
    const std::size_t space = skip(head, 0, std::min(window, method_limit), token_byte);
    if (space == 0 || space == window || head[space] != ' ') return 0;
    const std::size_t end = skip(head, space + 1, std::min(window, space + 1 + target_limit_), target_byte);
    if (end == space + 1 || head.substr(end, rest.size()) != rest) return 0;
    method_ = {0, offset(space)};
    target_ = {offset(space + 1), offset(end)};
    minor_version_ = 1;
    state_ = State::field;
    return end + rest.size();
  }
  if (kind_ == Kind::response) {
    const std::size_t code = version.size();
    const auto digit = [&](std::size_t i) { return head[code + i] - '0'; };
    const auto is_digit = [&](std::size_t i) { return digit(i) >= 0 && digit(i) <= 9; };
    if (window < code + 4 || head.substr(0, code) != version || head[code + 3] != ' ') return 0;
    if (digit(0) < 1 || digit(0) > 5 || !is_digit(1) || !is_digit(2)) return 0;
    const std::size_t end = skip_value(head, code + 4, window);
    if (head.substr(end, 2) != "\r\n") return 0;
    status_ = digit(0) * 100 + digit(1) * 10 + digit(2);
    minor_version_ = 1;
    state_ = State::field;
    return end + 2;
  }
  return 0;
}

std::size_t HeadGuard::read_method(std::string_view bytes, std::size_t i, std::size_t window) {
  i = skip(bytes, i, std::min(window, method_.begin + method_limit + 1), token_byte);
  if (i - method_.begin > method_limit) return refuse(Error::unknown_method), i;
  if (i == window) return i;
  if (bytes[i] != ' ' || i == method_.begin) return refuse_at(bytes[i], Error::bad_request_line), i;
  method_.end = offset(i);
  target_.begin = offset(i + 1);
  state_ = State::target;
  return i + 1;
}

std::size_t HeadGuard::read_target(std::string_view bytes, std::size_t i, std::size_t window) {
  i = skip(bytes, i, std::min(window, target_.begin + target_limit_ + 1), target_byte);
  if (i - target_.begin > target_limit_) return refuse(Error::target_too_long), i;
  if (i == window) return i;
  // "GET HTTP/1.1" and HTTP/0.9's "GET /" lack a part; any other byte makes a bad target.
  const bool line_ends = bytes[i] == '\r' || (bytes[i] == ' ' && i == target_.begin);
  if (bytes[i] != ' ' || line_ends) return refuse_at(bytes[i], line_ends ? Error::bad_request_line : Error::bad_target), i;
  target_.end = offset(i);
  state_ = State::version;
  return i + 1;
}

/// HTTP-version is "HTTP/" DIGIT "." DIGIT (RFC 9112 2.3), then the end of a request line or the
/// space of a status line.
std::size_t HeadGuard::read_version(std::string_view bytes, std::size_t i, std::size_t window) {
  constexpr std::string_view usual = "HTTP/1.1";
  if (position_ == 0 && window - i >= usual.size() && bytes.substr(i, usual.size()) == usual) {
    minor_version_ = 1;
    position_ = usual.size();
    return i + usual.size();
  }
  read_version(bytes[i]);
  return i + 1;
}

void HeadGuard::read_version(char c) {
  constexpr std::string_view form = "HTTP/d.d";
  const Error malformed = kind_ == Kind::request ? Error::bad_request_line : Error::bad_response;
  if (position_ == form.size()) {
    position_ = 0;
    if (kind_ == Kind::request && c == '\r') state_ = State::line_end;
    else if (kind_ == Kind::response && c == ' ') state_ = State::status;
    else refuse_at(c, malformed);
    return;
  }
  const char wanted = form[position_++];
  if (wanted == 'd' ? (c < '0' || c > '9') : c != wanted) return refuse_at(c, malformed);
  if (wanted != 'd') return;
  if (position_ < form.size()) {
    major_version_ = c;
    return;
  }
  if (major_version_ != '1' || c > '1') return refuse(Error::unsupported_version);
  minor_version_ = c - '0';
}

void HeadGuard::read_status(char c) {
  if (c < '0' || c > '9') return refuse_at(c, Error::bad_response);
  status_ = status_ * 10 + (c - '0');
  if (++position_ < 3) return;
  if (status_ < 100 || status_ > 599) return refuse(Error::bad_response);
  state_ = State::status_end;
}

/// RFC 9112 4 wants a space even before an empty reason; common servers leave it out.
void HeadGuard::read_status_end(char c) {
  if (c == ' ') state_ = State::reason;
  else if (c == '\r') state_ = State::line_end;
  else refuse_at(c, Error::bad_response);
}

/// Takes the field lines from `i` on that are there as a whole and right, and the end of the head, without the states between their
/// parts: nearly all are. Where the next line begins; that one the states look at, byte by byte, and say what is wrong with it.
std::size_t HeadGuard::read_fields(std::string_view bytes, std::size_t i, std::size_t window) {
  while (fields_.size() < field_limit_) {
    const std::size_t name_end = skip_name(bytes, i, window);
    if (name_end == i || name_end == window || bytes[name_end] != ':') break;
    std::size_t begin = name_end + 1;
    while (begin < window && is_space(bytes[begin])) ++begin;
    const std::size_t line_end = skip_value(bytes, begin, window);
    if (window - line_end < 2 || bytes[line_end] != '\r' || bytes[line_end + 1] != '\n') break;
    std::size_t end = line_end;
    while (end > begin && is_space(bytes[end - 1])) --end;
    fields_.push_back({{offset(i), offset(name_end)}, {offset(begin), offset(end)}});
    i = line_end + 2;
  }
  if (window - i < 2 || bytes[i] != '\r' || bytes[i + 1] != '\n') return i;
  state_ = State::done;
  return i + 2;
}

void HeadGuard::begin_field(char c, std::size_t i) {
  if (c == '\r') {
    state_ = State::head_end;
    return;
  }
  // A space or tab here folds the line before (RFC 9112 5.2), which no message needs.
  if (!is(c, token_byte)) return refuse_at(c, Error::bad_field);
  if (fields_.size() == field_limit_) return refuse(Error::too_many_fields);
  field_.name.begin = offset(i);
  state_ = State::name;
}

std::size_t HeadGuard::read_name(std::string_view bytes, std::size_t i, std::size_t window) {
  i = skip(bytes, i, window, token_byte);
  if (i == window) return i;
  // A space before the colon hides the field from some parsers (RFC 9112 5.1).
  if (bytes[i] != ':') return refuse_at(bytes[i], Error::bad_field), i;
  field_.name.end = offset(i);
  state_ = State::value_start;
  return i + 1;
}

std::size_t HeadGuard::read_value(std::string_view bytes, std::size_t i, std::size_t window) {
  i = skip_value(bytes, i, window);
  if (i == window) return i;
  if (bytes[i] != '\r') return refuse_at(bytes[i], Error::bad_field), i;
  std::size_t end = i;
  while (end > field_.value.begin && is_space(bytes[end - 1])) --end;
  field_.value.end = offset(end);
  fields_.push_back(field_);
  state_ = State::value_end;
  return i + 1;
}

void HeadGuard::expect_line_feed(char c, State next) {
  if (c == '\n') state_ = next;
  else refuse(Error::bad_line_end);
}

}  // namespace h1
}  // namespace v0
}  // namespace gw
