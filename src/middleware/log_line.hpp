/// \file
/// Level 4: a line of a log while it is made, and what the formats share: numbers, and texts of which most bytes stand for themselves.
#pragma once

#include <gw/version.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

/// Copies eight bytes and tells how many of them are plain before the first that is not.
struct EightBytes {
  static constexpr std::size_t size = 8;
  static std::size_t copy(char* to, const char* from) noexcept {
    constexpr std::uint64_t each = 0x0101010101010101u;
    std::uint64_t word;
    std::memcpy(&word, from, size);
    std::memcpy(to, &word, size);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    // The lowest marked byte is one that is not plain; marks above it may be borrows of the subtractions.
    const auto zeros = [](std::uint64_t w) { return (w - each) & ~w; };
    const std::uint64_t controls = (word - each * 0x20) & ~word;
    const std::uint64_t marks =
        (word | controls | zeros(word ^ each * '"') | zeros(word ^ each * '\\') | zeros(word ^ each * 0x7f)) & (each * 0x80);
    return static_cast<std::size_t>(std::countr_zero(marks)) / 8;
  }
};

#ifdef __SSE2__
/// The same for sixteen.
struct SixteenBytes {
  static constexpr std::size_t size = 16;
  static std::size_t copy(char* to, const char* from) noexcept {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    const auto are = [&](char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
    // As signed numbers, those above 0x7f are below a space, too.
    const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const __m128i marks = _mm_or_si128(_mm_or_si128(low, are(0x7f)), _mm_or_si128(are('"'), are('\\')));
    return static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(_mm_movemask_epi8(marks)) | 0x10000u));
  }
};
#endif

/// `text`, at least a block long, by blocks; the last one ends where the text does, and looks at some bytes again.
template <class Block>
std::size_t copy_plain_blocks(char* to, std::string_view text) noexcept {
  for (std::size_t i = 0;;) {
    const std::size_t plain = Block::copy(to + i, text.data() + i);
    i += plain;
    if (plain < Block::size || i == text.size()) return i;
    i = std::min(i, text.size() - Block::size);
  }
}

/// Copies `text` up to its first byte that is not plain; how many bytes these are. Behind them, up to the size of the text, anything
/// may have been written.
inline std::size_t copy_plain(char* to, std::string_view text) noexcept {
#ifdef __SSE2__
  if (text.size() >= SixteenBytes::size) return copy_plain_blocks<SixteenBytes>(to, text);
#endif
  if (text.size() >= EightBytes::size) return copy_plain_blocks<EightBytes>(to, text);
  std::size_t i = 0;
  for (; i < text.size() && is_plain(text[i]); ++i) to[i] = text[i];
  return i;
}

/// Writes the two digits of a number below 100; the end.
inline char* put_two_digits(char* to, unsigned number) noexcept {
  static constexpr auto digits = [] {
    std::array<char, 200> all{};
    for (std::size_t i = 0; i < 100; ++i) all[2 * i] = static_cast<char>('0' + i / 10), all[2 * i + 1] = static_cast<char>('0' + i % 10);
    return all;
  }();
  std::memcpy(to, &digits[2 * number], 2);
  return to + 2;
}

/// The text of a line, made of many small pieces: each costs a look at the room and a copy. A string would clear new memory, and
/// write an end each time. Keeps its memory for the next line.
class LogLine {
 public:
  void clear() noexcept { size_ = 0; }
  std::string_view text() const noexcept { return {bytes_.get(), size_}; }

  /// Where at least `size` bytes may be written; they belong to the line once `take` is given their end.
  char* room(std::size_t size) {
    if (capacity_ - size_ < size) grow(size);
    return bytes_.get() + size_;
  }
  void take(const char* end) noexcept { size_ = static_cast<std::size_t>(end - bytes_.get()); }

  void put(std::string_view piece) {
    char* const to = room(piece.size());
    std::memcpy(to, piece.data(), piece.size());
    take(to + piece.size());
  }
  void put(char c) {
    char* const to = room(1);
    *to = c;
    take(to + 1);
  }
  void put_number(std::uint64_t number) {
    char* const to = room(20);
    take(std::to_chars(to, to + 20, number).ptr);
  }

 private:
  void grow(std::size_t size) {
    const std::size_t wanted = std::max<std::size_t>(2 * capacity_, size_ + size + 1024);
    auto bytes = std::make_unique_for_overwrite<char[]>(wanted);
    if (size_ > 0) std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = wanted;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
