/// \file
/// Level 4: the text of a log while it is made, and what the formats share: numbers, and texts of which most bytes stand for themselves.
///
/// What writes takes the place to write at and returns the place behind it, so that both stay in registers: a member that each of many
/// small pieces had to read and write again would cost more than most of them.
#pragma once

#include <gw/version.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gw {
inline namespace v0 {
namespace detail {

/// Whether `c` stands for itself in a quoted text: visible ASCII and space, but neither `"` nor `\`.
constexpr bool is_plain(char c) noexcept { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

/// Copies as many bytes as a word has; not 0 if one of them is not plain.
template <class Word>
struct WordOfBytes {
  static constexpr std::size_t size = sizeof(Word);
  static std::uint64_t copy(char* to, const char* from) noexcept {
    constexpr Word each = std::numeric_limits<Word>::max() / 0xff;
    Word word;
    std::memcpy(&word, from, size);
    std::memcpy(to, &word, size);
    // Each term sets the high bit of a byte that is not plain. A carry or borrow into the next byte comes only out of such a byte.
    return (word | (word + each) | (word - each * 0x20) | ((word ^ each * '"') - each) | ((word ^ each * '\\') - each)) & (each * 0x80);
  }
};

#ifdef __SSE2__
/// The same for sixteen.
struct SixteenBytes {
  static constexpr std::size_t size = 16;
  static std::uint64_t copy(char* to, const char* from) noexcept {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    const auto are = [&](char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
    // As signed numbers, those from 0x7f on are below a space, too, once 1 is added to all.
    const __m128i outside = _mm_cmpgt_epi8(_mm_set1_epi8(0x20 + 1), _mm_add_epi8(bytes, _mm_set1_epi8(1)));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(are('"'), are('\\')))));
  }
};
#endif

/// `copy_plain` by blocks, for a text that is at least one long; the last one ends where the text does, and copies some bytes again.
template <class Block>
bool copy_plain_blocks(char* to, std::string_view text) noexcept {
  const std::size_t last = text.size() - Block::size;
  std::uint64_t marks = Block::copy(to + last, text.data() + last);
  for (std::size_t i = 0; i < last; i += Block::size) marks |= Block::copy(to + i, text.data() + i);
  return marks == 0;
}

/// Copies `text` if all of it is plain. If not, anything may have been written to its place.
inline bool copy_plain(char* to, std::string_view text) noexcept {
#ifdef __SSE2__
  if (text.size() >= SixteenBytes::size) return copy_plain_blocks<SixteenBytes>(to, text);
#endif
  if (text.size() >= 8) return copy_plain_blocks<WordOfBytes<std::uint64_t>>(to, text);
  if (text.size() >= 4) return copy_plain_blocks<WordOfBytes<std::uint32_t>>(to, text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_plain(text[i])) return false;
    to[i] = text[i];
  }
  return true;
}

/// Writes `text` as it is.
inline char* put(char* to, std::string_view text) noexcept { return to + text.copy(to, text.size()); }

/// Writes the two digits of a number below 100.
inline char* put_two_digits(char* to, unsigned number) noexcept {
  static constexpr auto digits = [] {
    std::array<char, 200> all{};
    for (std::size_t i = 0; i < 100; ++i) all[2 * i] = static_cast<char>('0' + i / 10), all[2 * i + 1] = static_cast<char>('0' + i % 10);
    return all;
  }();
  std::memcpy(to, &digits[2 * number], 2);
  return to + 2;
}

/// How many digits a number has at most.
inline constexpr std::size_t longest_number = 20;

/// Writes a number.
inline char* put_number(char* to, std::uint64_t number) noexcept { return std::to_chars(to, to + longest_number, number).ptr; }

/// Lines of a log, made of many small pieces: unlike a string it neither clears new memory nor writes an end behind each.
class LogText {
 public:
  std::string_view view() const noexcept { return {bytes_.get(), size_}; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return static_cast<std::size_t>(limit_ - bytes_.get()); }
  /// Drops all but the first `size` bytes, and keeps the memory.
  void cut(std::size_t size) noexcept { size_ = size; }

  /// Where the next piece is written, once there is room.
  char* end() noexcept { return bytes_.get() + size_; }
  /// Room for `size` bytes at `to`, up to which was written: `to`, or the same place in new memory.
  char* room(char* to, std::size_t size) {
    return static_cast<std::size_t>(limit_ - to) >= size ? to : grow(static_cast<std::size_t>(to - bytes_.get()), size);
  }
  /// What was written up to `end` belongs to the text.
  void take(const char* end) noexcept { size_ = static_cast<std::size_t>(end - bytes_.get()); }

  /// Appends a piece that stands alone.
  void append(std::string_view piece) { take(put(room(end(), piece.size()), piece)); }

 private:
  [[gnu::noinline]] char* grow(std::size_t used, std::size_t size) {
    const std::size_t wanted = std::max<std::size_t>(2 * capacity(), used + size + 1024);
    auto bytes = std::make_unique_for_overwrite<char[]>(wanted);
    if (used > 0) std::memcpy(bytes.get(), bytes_.get(), used);
    bytes_ = std::move(bytes);
    limit_ = bytes_.get() + wanted;
    return bytes_.get() + used;
  }

  std::unique_ptr<char[]> bytes_;
  char* limit_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
